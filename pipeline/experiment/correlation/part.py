"""Figure 6a as a part of the experiment."""

import numpy as np

from models.content.item_embeddings import ItemEmbeddings
from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import TRIALS
from pipeline.experiment.clicks.vectors import Vectors
from pipeline.experiment.correlation.rows import RANDOM, make_rows
from pipeline.experiment.correlation.views import section, tables
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows
from pipeline.experiment.table2.catalog_vectors import to_tables
from pipeline.experiment.table2.part import TABLE2, run_trials

# The integration that needs no training of its own, so that only the embeddings differ.
INTEGRATION = "simtier"


def run(bench: Bench) -> Rows:
    """Trains a model of clicks with the embeddings of each of Table 2's encoders, one modality at a time.

    Beside them stands a control: what the model gains when embeddings tell which items are the same and no more.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    table2 = bench.beside(TABLE2.name)
    encoders = [result for result in run_trials(table2) if result["modality"] in clicks.modalities]
    accuracies: dict[tuple[str, str], list[float | None]] = {}
    predictions: dict[tuple[str, str], list[np.ndarray]] = {}
    for number, result in enumerate(encoders, 1):
        method, modality = result["method"], result["modality"]
        index = len(accuracies.setdefault((method, modality), []))
        vectors = Vectors(
            f"{method} {modality}",
            result["vectors"],
            to_tables(
                table2.store.read_array(result["vectors"]),
                bench.data.catalog_files,
                clicks.data.embeddings,
                modality,
            ),
        )
        config = clicks.config(INTEGRATION, index, (modality,))
        predicted = clicks.ctr(f"{number:>2}/{len(encoders)}", config, vectors=vectors)
        accuracies[method, modality].append(result["acc@1"])
        predictions.setdefault((method, modality), []).append(predicted[-1])
    for modality in clicks.modalities:
        for index in range(bench.seeds):
            vectors = random_vectors(clicks.data.embeddings, modality, index)
            config = clicks.config(INTEGRATION, index, (modality,))
            predicted = clicks.ctr(f"{index + 1:>2}/{bench.seeds}", config, vectors=vectors)
            accuracies.setdefault((RANDOM, modality), []).append(None)
            predictions.setdefault((RANDOM, modality), []).append(predicted[-1])
    baseline = [
        clicks.ctr(f"{index + 1:>2}/{bench.seeds}", clicks.config("id", index))[-1]
        for index in range(bench.seeds)
    ]
    return make_rows(predictions, accuracies, baseline, clicks.data.clicks)


def random_vectors(embeddings: ItemEmbeddings, modality: str, seed: int) -> Vectors:
    """A random unit vector for each item that has an embedding."""
    shape = embeddings.vectors[modality].shape
    table = np.random.default_rng(seed).standard_normal(shape, np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    table[0] = 0  # the row of no embedding
    return Vectors(f"{RANDOM} {modality}", f"{RANDOM} {shape} {seed}", {modality: table})


CORRELATION = Part("correlation", run, tables, section, trials=TRIALS)
