"""New and changed items on their way to the encoders, kept until they are encoded."""
