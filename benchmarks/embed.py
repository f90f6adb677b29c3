"""CatalogEmbedder over a catalog of pictures and titles, next to calling its encoders' SavedModels directly.

    python benchmarks/embed.py [--quick]

Pictures and titles are the simulated marketplace's, the encoders the project's own by default, untrained (what
they have learned makes no difference to their speed). CatalogEmbedder's transform is timed from the catalog's
Parquet files to those of the embeddings, on Beam's in-memory runner. The direct version has pictures and titles
in memory before its time begins and leaves its vectors there; it runs in two sizes of large batches, and the
faster one of a round counts. Both load the encoders within their time. All have to give the same vectors. Rounds
are interleaved, so that a machine busy for a while is so for all, and the ratio is the median of the rounds'.
Processor seconds stand beside, which other work disturbs less. Each round ends with the same catalog once more,
of which nothing is encoded.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions
from tfx.utils import path_utils

from benchmarks.reporting import Bar, progress, report
from components.catalog_embedder.config import EmbedderConfig
from components.catalog_embedder.embed_catalog import EmbedCatalog
from components.catalog_embedder.encoder import Encoder, read_encoder
from components.catalog_embedder.encoder_handler import LoadedEncoder
from components.catalog_embedder.modality import IMAGE, MODALITIES, TEXT
from models.encoder.build import build_encoder
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from pipeline.beam_args import LOCAL_BEAM_ARGS
from serving.encoder_signatures import save_encoder
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.renderer import render_jpegs
from sources.marketplace.style import random_styles
from sources.marketplace.views import studio_views
from sources.marketplace.words import write_titles
from transforms.log_counts import COUNTS_FILE
from transforms.read_parquet import find_parquet

# Beam's start-up and loading the encoders take two seconds, whatever the catalog: of few items that is a lot.
ITEMS = 20_000
ROUNDS, QUICK_ROUNDS = 3, 1
ITEMS_PER_FILE = 1_000
DIRECT_BATCHES = (256, 1_024)
TOLERANCE = 1e-4

# Rows of a version's vectors, by modality.
Vectors = dict[str, np.ndarray]


def main() -> None:
    """Makes catalog and encoders, measures in rounds, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, for a look")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="adlens-embed-") as name:
        folder = Path(name)
        progress(f"making a catalog of {ITEMS:,} items, and encoders")
        catalog = _make_catalog(folder / "catalog", ITEMS)
        encoders = _make_encoders(folder, catalog)
        measured = [_measure_round(folder, catalog, encoders, number) for number in range(rounds)]
    _report(ITEMS, measured)


@dataclass(frozen=True)
class Measurement:
    """One run of a version."""

    seconds: float
    cpu_seconds: float


def _measure_round(
    folder: Path, catalog: pa.Table, encoders: dict[str, Encoder], number: int
) -> dict[str, Measurement]:
    """Runs each version once; the order turns from round to round."""
    contents = {modality.name: catalog.column(modality.content).to_numpy() for modality in MODALITIES}
    first, again = folder / "first", folder / "again"
    versions: dict[str, Callable[[], Vectors]] = {
        f"direct_{size}": partial(_embed_directly, encoders, contents, size) for size in DIRECT_BATCHES
    }
    versions["adlens"] = partial(_embed, folder / "catalog", encoders, None, first)
    vectors: dict[str, Vectors] = {}
    measured: dict[str, Measurement] = {}

    def measure(name: str, version: Callable[[], Vectors]) -> None:
        started, cpu_started = time.perf_counter(), time.process_time()
        vectors[name] = version()
        measured[name] = Measurement(time.perf_counter() - started, time.process_time() - cpu_started)
        speed = catalog.num_rows / measured[name].seconds
        progress(f"round {number + 1}: {name}: {speed:,.0f} items a second")

    for name in sorted(versions, reverse=bool(number % 2)):
        measure(name, versions[name])
    measure("again", partial(_embed, folder / "catalog", encoders, first, again))
    _check_agreement(vectors)
    _check_nothing_encoded(again)
    for written in (first, again):
        shutil.rmtree(written)
    return measured


def _embed_directly(encoders: dict[str, Encoder], contents: dict[str, np.ndarray], size: int) -> Vectors:
    vectors = {}
    for name, encoder in encoders.items():
        encode, rows = LoadedEncoder(encoder), contents[name]
        vectors[name] = np.concatenate(
            [encode(rows[start : start + size]) for start in range(0, len(rows), size)]
        )
    return vectors


def _embed(catalog: Path, encoders: dict[str, Encoder], previous: Path | None, out: Path) -> Vectors:
    files = find_parquet(f"{previous}/embeddings-*.parquet") if previous else []
    embed = EmbedCatalog(find_parquet(f"{catalog}/*.parquet"), encoders, files, EmbedderConfig(), str(out))
    with beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))) as pipeline:
        _ = pipeline | embed
    # One shard, whose items are in the order of their ids, as the catalog's are.
    table = pq.read_table(find_parquet(f"{out}/embeddings-*.parquet")[0].path)
    return {name: _to_matrix(table.column(f"{name}_embedding")) for name in encoders}


def _to_matrix(column: pa.ChunkedArray) -> np.ndarray:
    if column.null_count:
        raise SystemExit(f"{column.null_count} items have no vector")
    return column.combine_chunks().flatten().to_numpy().reshape(len(column), -1)


def _check_agreement(vectors: dict[str, Vectors]) -> None:
    """Stops where the versions' vectors differ by more than rounding."""
    for version, others in vectors.items():
        for name, rows in vectors["adlens"].items():
            difference = np.abs(rows - others[name]).max()
            if difference > TOLERANCE:
                raise SystemExit(f"adlens' {name} vectors differ from {version}'s by {difference}")


def _check_nothing_encoded(out: Path) -> None:
    encoded = json.loads((out / COUNTS_FILE).read_text(encoding="utf-8"))["encoded"]
    if any(encoded.values()):
        raise SystemExit(f"expected nothing to be encoded the second time, got {encoded}")


def _make_catalog(folder: Path, items: int) -> pa.Table:
    """Writes a catalog as LogIngest does; its items are in the order of their ids."""
    rng = np.random.default_rng(0)
    params = MarketplaceParams()
    categories, styles = rng.integers(0, params.num_categories, items), random_styles(rng, items)
    pictures = render_jpegs(rng, categories, styles, studio_views(rng, items), params.picture_size)
    table = pa.table(
        {
            "item_id": [f"item{number:07d}" for number in range(items)],
            "title": write_titles(rng, categories, styles),
            "image": pa.array(pictures, pa.binary()),
        }
    )
    folder.mkdir()
    for start in range(0, items, ITEMS_PER_FILE):
        pq.write_table(table.slice(start, ITEMS_PER_FILE), folder / f"catalog-{start:05d}.parquet")
    return table


def _make_encoders(folder: Path, catalog: pa.Table) -> dict[str, Encoder]:
    """Builds the project's encoders, their vocabulary of the titles, and saves them."""
    pairs, titles = folder / "pairs.parquet", catalog.column("title")
    pq.write_table(pa.table({"query_text": titles, "positive_title": titles}), pairs)
    encoders = {}
    for modality, config in ((IMAGE, ImageEncoderConfig()), (TEXT, TextEncoderConfig())):
        model = folder / modality.name
        model.mkdir()
        encoder = build_encoder(config, [str(pairs)])
        save_encoder(encoder, "untrained", str(model), path_utils.serving_model_dir(str(model)))
        encoders[modality.name] = read_encoder(str(model), modality)
    return encoders


def _report(items: int, rounds: list[dict[str, Measurement]]) -> None:
    def share(figure: str) -> float:
        """The median of the rounds' ratios, against the faster of the direct versions."""
        ratios = []
        for measured in rounds:
            direct = min(getattr(measured[f"direct_{size}"], figure) for size in DIRECT_BATCHES)
            ratios.append(direct / getattr(measured["adlens"], figure))
        return round(statistics.median(ratios), 3)

    figures: dict[str, float] = {"items": items}
    for name in rounds[0]:
        for figure in ("seconds", "cpu_seconds"):
            figures[f"{name}_{figure}"] = round(
                statistics.median(getattr(measured[name], figure) for measured in rounds), 2
            )
        figures[f"{name}_items_per_second"] = round(items / figures[f"{name}_seconds"])
    figures["share_of_direct_speed_by_cpu_seconds"] = share("cpu_seconds")
    report("embed", figures, {"share_of_direct_speed": Bar(share("seconds"), at_least=0.8)})


if __name__ == "__main__":
    main()
