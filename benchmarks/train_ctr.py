"""Measures how many examples a second the click-through-rate model trains on, as its item table grows.

    python benchmarks/train_ctr.py [--quick]

One architecture, three trainers, each with what its library offers for large tables:

- adlens: `CtrModel` under plain Keras `fit`, rows of tables by `RowwiseAdagrad`.
- keras: `keras.layers.Embedding` and DIN as its paper writes it, under plain `fit` with Adam.
- torch: `torch.nn.Embedding(sparse=True)` and DIN as its paper writes it, SparseAdam for the tables and Adam for
  the rest; only where torch is installed.

Examples are generated in memory, ids uniform over their tables (the hardest case: hardly a row of a large table is
met twice in a batch), 50 behaviors each, batches of 2,048. Rounds are interleaved, so that a machine that is busy
for a while is so for all; a ratio is the median of the rounds' ratios.
"""

import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)
from models.ctr.config import CtrConfig
from transforms.feature import ID_FEATURES

CONFIG = CtrConfig(batch_size=2_048)
LENGTH = 50
SMALL, LARGE, HUGE = 10_000, 1_000_000, 10_000_000
OTHER_TABLES = {"user_id": 10_000, "category_id": 1_000, "shop_id": 10_000}
FEATURES = tuple(feature.name for feature in ID_FEATURES)
