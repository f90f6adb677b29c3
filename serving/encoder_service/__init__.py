"""Encodes new and changed items within seconds: from the queue, through the model server, into the index."""
