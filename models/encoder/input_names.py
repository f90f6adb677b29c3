"""What a request to an exported encoder calls its input."""

# By modality. Who only asks an encoder imports no more than this.
INPUT_NAMES = {"image": "image_bytes", "text": "text"}
