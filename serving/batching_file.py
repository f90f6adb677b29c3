"""How a model server puts requests to an encoder together."""

import tensorflow as tf

BATCHING_FILE = "batching_params.pbtxt"

# Beside the model, because no other model here can be batched across callers: `score_candidates` and `reorder` are
# of one user each. Threads are the server's to choose, and TF Serving takes them from its own file alone.
PARAMETERS = """\
max_batch_size { value: 128 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
"""


def write_batching_file(directory: str) -> None:
    """Puts an encoder's parameters of batching beside its `saved_model.pb`.

    A server with `--enable_batching --enable_per_model_batching_parameters` reads them. A request of more rows than
    `max_batch_size` is refused, so callers send fewer at once.

    Args:
        directory: of the SavedModel.
    """
    with tf.io.gfile.GFile(f"{directory}/{BATCHING_FILE}", "wb") as stream:
        stream.write(PARAMETERS.encode())
