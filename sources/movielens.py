"""Makes the four logs from MovieLens and posters of its movies.

MovieLens has ratings and tags, no advertisements: the logs are a stand-in, the nearest that public data
gives to impressions, searches, purchases and pictures of the same items. `docs/movielens.md` says what
each column stands for and why the times are as they are.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from transforms.input_error import InputError
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES, TIMESTAMP, LogSpec

Progress = Callable[[str, int, int], None]

CLICK_RATING = 4.0
# The search and the purchase come this much after what they are made from, so that both are strictly
# later than the rating of the same movie: a purchase before it would tell the label.
SEARCH_DELAY_SECONDS = 1
PURCHASE_DELAY_SECONDS = 2
NO_GENRE = "(no genres listed)"
RELEASE_YEAR = r"\((?P<century_and_decade>\d{3})\d(?:[-–](?:\d{4})?)?\)\s*$"
ROWS_PER_GROUP = 20_000
# Pictures are read, written and forgotten by this many, which bounds the memory.
PICTURES_PER_GROUP = 500
MAX_SECONDS = 2**32 - 1

RATING_COLUMNS = {
    "userId": pa.int64(),
    "movieId": pa.int64(),
    "rating": pa.float64(),
    "timestamp": pa.int64(),
}
MOVIE_COLUMNS = {"movieId": pa.int64(), "title": pa.string(), "genres": pa.string()}
TAG_COLUMNS = {"userId": pa.int64(), "movieId": pa.int64(), "tag": pa.string(), "timestamp": pa.int64()}
# The smallest and the largest value that a numeric column may have.
RANGES = {
    "userId": (1, 2**63 - 1),
    "movieId": (1, 2**63 - 1),
    "rating": (0.0, 5.0),
    "timestamp": (0, MAX_SECONDS),
}


def import_movielens(
    input_dir: Path,
    posters: Path,
    out: Path,
    query_posters: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Writes the catalog, impressions, searches and purchases of a MovieLens folder.

    The logs appear in `out` all at once, when everything is written. The same input gives the same rows.

    Args:
        input_dir: folder with ratings.csv, movies.csv and tags.csv as GroupLens ships them.
        posters: folder with `<movieId>.jpg`, the pictures of the catalog; a movie may have none.
        out: folder to make; it must not exist yet, or be empty.
        query_posters: folder with `<movieId>.jpg`, other pictures of the same movies, which become the
            pictures that users search with; without it no one searches by picture.
        progress: called with the log, the rows done and all its rows.
    Returns:
        Rows of each log by its name, and `clicks`, `posters`, `image_searches` and `text_searches`.
    Raises:
        InputError: if a folder, file or column is missing, a row cannot be read, or `out` holds something.
    Source: Harper and Konstan 2015, The MovieLens Datasets: History and Context.
    """
    input_dir, posters, out = Path(input_dir), Path(posters), Path(os.path.abspath(out))
    query_posters = Path(query_posters) if query_posters is not None else None
    _check_folders((input_dir, posters, query_posters), out)
    ratings = _read_csv(input_dir / "ratings.csv", RATING_COLUMNS)
    movies = _read_csv(input_dir / "movies.csv", MOVIE_COLUMNS)
    tags = _read_csv(input_dir / "tags.csv", TAG_COLUMNS)
    image_searches = _image_searches(ratings, query_posters)
    text_searches = _text_searches(tags, ratings)
    searches = pa.concat_tables([image_searches, text_searches])
    searches = searches.sort_by([("timestamp", "ascending"), ("search_id", "ascending")])

    staging = out.with_name(f".{out.name}.partial")
    if staging.exists():
        shutil.rmtree(staging)
    catalog = _write(staging, CATALOG, _catalog(movies, posters), len(movies), progress)
    _write(staging, IMPRESSIONS, _impressions(ratings), len(ratings), progress)
    _write(staging, SEARCHES, _searches(searches, query_posters), len(searches), progress)
    _write(staging, PURCHASES, _purchases(searches), len(searches), progress)
    staging.rename(out)
    return {
        "catalog": len(movies),
        "impressions": len(ratings),
        "searches": len(searches),
        "purchases": len(searches),
        "clicks": pc.sum(_is_click(ratings), min_count=0).as_py(),
        "posters": catalog["image"],
        "image_searches": len(image_searches),
        "text_searches": len(text_searches),
    }


def _check_folders(inputs: tuple[Path | None, ...], out: Path) -> None:
    for folder in inputs:
        if folder is not None and not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise InputError(f"{folder}: expected a folder, found {found}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder for the logs, found something there")


def _read_csv(path: Path, columns: dict[str, pa.DataType]) -> pa.Table:
    """Reads the named columns and checks every number; an error names the file and the line."""
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file of MovieLens, found {'a folder' if path.exists() else 'none'}"
        )
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} missing")
    try:
        table = pa_csv.read_csv(
            path,
            # One thread, because only then does an error say which row it is.
            read_options=pa_csv.ReadOptions(use_threads=False),
            convert_options=pa_csv.ConvertOptions(column_types=columns, include_columns=list(columns)),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if len(table) == 0 and path.name != "tags.csv":
        raise InputError(f"{path}: expected at least one row below the header, found none")
    for name in columns:
        if name in RANGES:
            _check_range(path, name, table[name])
    return table


def _check_range(path: Path, name: str, column: pa.ChunkedArray) -> None:
    low, high = RANGES[name]
    inside = pc.fill_null(pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high)), False)
    row = pc.index(inside, False).as_py()
    if row >= 0:
        line = row + 2  # The header is line 1.
        raise InputError(f"{path}: line {line}: expected {name} from {low} to {high}, got {column[row]}")


def _catalog(movies: pa.Table, posters: Path) -> Iterator[pa.Table]:
    for start in range(0, len(movies), PICTURES_PER_GROUP):
        part = movies.slice(start, PICTURES_PER_GROUP)
        genre = pc.list_element(pc.split_pattern(part["genres"], "|"), 0)
        no_genre = pc.or_(pc.equal(genre, NO_GENRE), pc.equal(genre, ""))
        decade = pc.struct_field(pc.extract_regex(part["title"], RELEASE_YEAR), "century_and_decade")
        yield _table(
            CATALOG,
            item_id=part["movieId"].cast(pa.string()),
            category_id=pc.if_else(no_genre, pa.scalar(None, pa.string()), genre),
            shop_id=pc.binary_join_element_wise(decade, "0s", ""),
            title=part["title"],
            image=pa.array([_picture(posters, movie) for movie in part["movieId"].to_pylist()], pa.binary()),
            created_at=pa.nulls(len(part), TIMESTAMP),
        )


def _impressions(ratings: pa.Table) -> Iterator[pa.Table]:
    # In the order in which a log would have been written.
    ratings = ratings.sort_by([("timestamp", "ascending"), ("userId", "ascending"), ("movieId", "ascending")])
    user_id, item_id = ratings["userId"].cast(pa.string()), ratings["movieId"].cast(pa.string())
    yield _table(
        IMPRESSIONS,
        impression_id=pc.binary_join_element_wise(user_id, item_id, "-"),
        user_id=user_id,
        item_id=item_id,
        timestamp=_time(ratings["timestamp"]),
        clicked=_is_click(ratings),
    )


def _image_searches(ratings: pa.Table, query_posters: Path | None) -> pa.Table:
    """One search a movie that has an alternative poster: by the last user who clicked it.

    There is only one picture to search with, so more searches would repeat the same pair; and all but
    the first of them could not serve as held-out pairs, because the pair is seen in training already.
    """
    clicks = ratings.filter(_is_click(ratings))
    movies = [
        movie
        for movie in pc.unique(clicks["movieId"]).to_pylist()
        if query_posters is not None and _picture_path(query_posters, movie).is_file()
    ]
    clicks = clicks.filter(pc.is_in(clicks["movieId"], pa.array(movies, pa.int64())))
    clicks = clicks.sort_by([("timestamp", "ascending"), ("userId", "ascending")])
    # Threads would lose the order that "last" needs.
    by_movie = clicks.group_by("movieId", use_threads=False)
    last = by_movie.aggregate([("userId", "last"), ("timestamp", "last")])
    search_id = pc.binary_join_element_wise("image", last["movieId"].cast(pa.string()), "-")
    query_text = pa.nulls(len(last), pa.string())
    return _search_table(search_id, last["userId_last"], last["movieId"], last["timestamp_last"], query_text)


def _text_searches(tags: pa.Table, ratings: pa.Table) -> pa.Table:
    """One search a tag, at its time or, if that is later, at the time of the user's rating of the movie."""
    row = pa.array(range(len(tags)), pa.int64())
    rated = ratings.group_by(["userId", "movieId"]).aggregate([("timestamp", "max")])
    joined = tags.append_column("row", row).join(rated, ["userId", "movieId"], join_type="left outer")
    joined = joined.sort_by("row")
    seconds = pc.max_element_wise(joined["timestamp"], joined["timestamp_max"], skip_nulls=True)
    search_id = pc.binary_join_element_wise("text", pc.add(joined["row"], 1).cast(pa.string()), "-")
    return _search_table(search_id, joined["userId"], joined["movieId"], seconds, joined["tag"])


def _search_table(
    search_id: pa.ChunkedArray,
    user: pa.ChunkedArray,
    movie: pa.ChunkedArray,
    seconds: pa.ChunkedArray,
    query_text: pa.ChunkedArray | pa.Array,
) -> pa.Table:
    user_id, item_id = user.cast(pa.string()), movie.cast(pa.string())
    columns = ["search_id", "user_id", "item_id", "timestamp", "query_text"]
    return pa.table([search_id, user_id, item_id, seconds, query_text], names=columns)


def _searches(searches: pa.Table, query_posters: Path | None) -> Iterator[pa.Table]:
    for start in range(0, len(searches), PICTURES_PER_GROUP):
        part = searches.slice(start, PICTURES_PER_GROUP)
        by_text = pc.is_valid(part["query_text"]).to_pylist()
        movies = part["item_id"].to_pylist()
        pictures = [
            None if query_posters is None or text else _picture(query_posters, int(movie))
            for movie, text in zip(movies, by_text, strict=True)
        ]
        yield _table(
            SEARCHES,
            search_id=part["search_id"],
            user_id=part["user_id"],
            timestamp=_time(pc.add(part["timestamp"], SEARCH_DELAY_SECONDS)),
            query_text=part["query_text"],
            query_image=pa.array(pictures, pa.binary()),
            # MovieLens tells of nothing that was looked at and left: the bought movie is the only click.
            clicked_item_ids=pa.array([[movie] for movie in movies], pa.list_(pa.string())),
        )


def _purchases(searches: pa.Table) -> Iterator[pa.Table]:
    yield _table(
        PURCHASES,
        purchase_id=pc.binary_join_element_wise("purchase", searches["search_id"], "-"),
        user_id=searches["user_id"],
        item_id=searches["item_id"],
        timestamp=_time(pc.add(searches["timestamp"], PURCHASE_DELAY_SECONDS)),
        search_id=searches["search_id"],
    )


def _write(
    folder: Path, spec: LogSpec, tables: Iterator[pa.Table], total: int, progress: Progress | None
) -> dict[str, int]:
    """Writes one log as it is made, in bounded row groups; returns the number of values in each column."""
    target = folder / spec.name / "part-00000.parquet"
    target.parent.mkdir(parents=True)
    values = dict.fromkeys(spec.schema.names, 0)
    done = 0
    with pq.ParquetWriter(target, spec.schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            done += len(table)
            for name in values:
                values[name] += len(table) - table[name].null_count
            if progress is not None:
                progress(spec.name, done, total)
    return values


def _table(spec: LogSpec, **columns: pa.ChunkedArray | pa.Array) -> pa.Table:
    return pa.table(columns, schema=spec.schema)


def _is_click(ratings: pa.Table) -> pa.ChunkedArray:
    return pc.greater_equal(ratings["rating"], CLICK_RATING)


def _time(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    return seconds.cast(pa.timestamp("s", tz="UTC")).cast(TIMESTAMP)


def _picture_path(folder: Path, movie: int) -> Path:
    # A number and nothing else, so no row of a file can name a path.
    return folder / f"{movie:d}.jpg"


def _picture(folder: Path, movie: int) -> bytes | None:
    path = _picture_path(folder, movie)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: expected a picture that can be read: {error.strerror}") from error
