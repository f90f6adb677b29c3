"""What a training leaves so that the next one goes on from it."""
