"""What to try, and what wins: deployments, the race between them, and the reasons why others lost."""
