"""From a picture's bytes to its pixels, in the graph: training and serving see the same."""

import tensorflow as tf


def decode_image(image_bytes: tf.Tensor, image_size: int) -> tf.Tensor:
    """Decodes one picture and resizes it.

    Args:
        image_bytes: string scalar, a JPEG, PNG or WebP file.
        image_size: side of the square that it is resized to; other proportions are stretched.
    Returns:
        float32 `[image_size, image_size, 3]`, RGB from 0 to 255.
    """
    pixels = tf.io.decode_image(image_bytes, channels=3, expand_animations=False)
    pixels = tf.image.resize(pixels, (image_size, image_size), antialias=True)
    # Antialiasing weighs in float; a byte's range is kept, and with it what augmentation expects.
    return tf.ensure_shape(tf.clip_by_value(pixels, 0.0, 255.0), (image_size, image_size, 3))


def decode_images(image_bytes: tf.Tensor, image_size: int) -> tf.Tensor:
    """Decodes and resizes pictures, each with `decode_image`.

    Args:
        image_bytes: string `[batch]`.
        image_size: side of the square that they are resized to.
    Returns:
        float32 `[batch, image_size, image_size, 3]`.
    """
    return tf.map_fn(
        lambda one: decode_image(one, image_size),
        image_bytes,
        fn_output_signature=tf.TensorSpec((image_size, image_size, 3), tf.float32),
    )
