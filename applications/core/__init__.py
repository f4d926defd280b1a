"""What two applications share."""
