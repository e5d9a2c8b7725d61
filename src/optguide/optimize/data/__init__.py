"""What a run is given: the reader's model and data, in whatever form they come."""
