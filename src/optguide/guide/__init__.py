"""What only the guide needs: budgets of its examples, environments, workloads and the Sphinx extension."""
