"""The reader's model: read in whatever form it comes, and described."""
