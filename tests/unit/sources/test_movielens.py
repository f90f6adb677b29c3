"""Tests of the import of MovieLens."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sources.movielens import import_movielens
from transforms.input_error import InputError
from transforms.logs import LOGS

MOVIES = """movieId,title,genres
1,Toy Story (1995),Adventure|Children
2,"Good, the Bad and the Ugly, The (1966)",Western
3,Moonlight,(no genres listed)
4,Serial (2006–2007),Drama
"""
# User 8 clicks movie 1 after user 7 does, so the search by picture is user 8's.
RATINGS = """userId,movieId,rating,timestamp
7,1,4.0,1000
8,1,5.0,2000
7,2,3.5,1500
8,2,0.5,900
7,3,4.5,1000
"""
# User 7 tags movie 2 before rating it (at 1500), movie 1 after, and movie 4 without any rating.
TAGS = """userId,movieId,tag,timestamp
7,2,"spaghetti, western",1400
7,1,toys,5000
7,4,slow,600
"""


def time(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A MovieLens of four movies; movies 1 and 2 have a poster, movies 1, 2 and 4 another one."""
    for name, text in (("movies", MOVIES), ("ratings", RATINGS), ("tags", TAGS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    for posters, movies in (("posters", (1, 2)), ("posters_alt", (1, 2, 4))):
        (tmp_path / posters).mkdir()
        for movie in movies:
            (tmp_path / posters / f"{movie}.jpg").write_bytes(f"{posters} {movie}".encode())
    return tmp_path


def run(folder: Path, **changes: Any) -> dict[str, int]:
    arguments = {
        "input_dir": folder,
        "posters": folder / "posters",
        "out": folder / "logs",
        "query_posters": folder / "posters_alt",
    }
    return import_movielens(**(arguments | changes))


def rows(folder: Path, log: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / "logs" / log).to_pylist()


def test_files_keep_the_contract(folder: Path) -> None:
    run(folder)
    for spec in LOGS:
        assert pq.read_schema(folder / "logs" / spec.name / "part-00000.parquet") == spec.schema
    assert sorted(path.name for path in (folder / "logs").iterdir()) == sorted(spec.name for spec in LOGS)
    assert not list(folder.glob(".*")), "the staging folder is gone"


def test_catalog(folder: Path) -> None:
    run(folder)
    columns = ("item_id", "category_id", "shop_id", "title", "image", "created_at")
    expected = [
        ("1", "Adventure", "1990s", "Toy Story (1995)", b"posters 1", None),
        ("2", "Western", "1960s", "Good, the Bad and the Ugly, The (1966)", b"posters 2", None),
        ("3", None, None, "Moonlight", None, None),
        ("4", "Drama", "2000s", "Serial (2006–2007)", None, None),
    ]
    assert rows(folder, "catalog") == [dict(zip(columns, row, strict=True)) for row in expected]


def test_impressions_are_ratings_in_time_order(folder: Path) -> None:
    run(folder)
    columns = ("impression_id", "user_id", "item_id", "timestamp", "clicked")
    expected = [
        ("8-2", "8", "2", time(900), False),
        ("7-1", "7", "1", time(1000), True),
        ("7-3", "7", "3", time(1000), True),
        ("7-2", "7", "2", time(1500), False),
        ("8-1", "8", "1", time(2000), True),
    ]
    assert rows(folder, "impressions") == [dict(zip(columns, row, strict=True)) for row in expected]


def test_searches(folder: Path) -> None:
    run(folder)
    columns = ("search_id", "user_id", "timestamp", "query_text", "query_image", "clicked_item_ids")
    # Movie 2 has another poster but nobody clicked it, movie 3 was clicked but has none: no search by picture.
    # The tag of movie 2 (1400) waits for the rating (1500); that of movie 4 has no rating to wait for.
    expected = [
        ("text-3", "7", time(601), "slow", None, ["4"]),
        ("text-1", "7", time(1501), "spaghetti, western", None, ["2"]),
        ("image-1", "8", time(2001), None, b"posters_alt 1", ["1"]),
        ("text-2", "7", time(5001), "toys", None, ["1"]),
    ]
    assert rows(folder, "searches") == [dict(zip(columns, row, strict=True)) for row in expected]


def test_each_search_ends_in_a_purchase_a_second_later(folder: Path) -> None:
    run(folder)
    columns = ("purchase_id", "user_id", "item_id", "timestamp", "search_id")
    expected = [
        ("purchase-text-3", "7", "4", time(602), "text-3"),
        ("purchase-text-1", "7", "2", time(1502), "text-1"),
        ("purchase-image-1", "8", "1", time(2002), "image-1"),
        ("purchase-text-2", "7", "1", time(5002), "text-2"),
    ]
    assert rows(folder, "purchases") == [dict(zip(columns, row, strict=True)) for row in expected]


def test_returns_counts_and_tells_progress(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    assert run(folder, progress=lambda *progress: told.append(progress)) == {
        "catalog": 4,
        "impressions": 5,
        "searches": 4,
        "purchases": 4,
        "clicks": 3,
        "posters": 2,
        "image_searches": 1,
        "text_searches": 3,
    }
    assert told == [("catalog", 4, 4), ("impressions", 5, 5), ("searches", 4, 4), ("purchases", 4, 4)]


def test_without_query_posters_nobody_searches_by_picture(folder: Path) -> None:
    assert run(folder, query_posters=None)["image_searches"] == 0
    assert all(row["query_image"] is None for row in rows(folder, "searches"))


def test_without_tags_nobody_searches_by_text(folder: Path) -> None:
    (folder / "tags.csv").write_text(TAGS.splitlines()[0] + "\n", encoding="utf-8")
    assert run(folder)["text_searches"] == 0
    assert [row["search_id"] for row in rows(folder, "searches")] == ["image-1"]


def test_out_may_be_an_empty_folder(folder: Path) -> None:
    (folder / "logs").mkdir()
    run(folder)
    assert len(rows(folder, "catalog")) == 4


def test_what_a_killed_run_left_does_not_matter(folder: Path) -> None:
    left = folder / ".logs.partial" / "catalog"
    left.mkdir(parents=True)
    (left / "part-00000.parquet").write_bytes(b"PAR1 half a file")
    run(folder)
    assert len(rows(folder, "catalog")) == 4


@pytest.mark.parametrize(
    ("name", "line", "text", "message"),
    [
        ("ratings.csv", 3, "8,1,five,2000", "ratings.csv: .*Row #3.*five"),
        ("ratings.csv", 3, "8,1,5.0", "ratings.csv: .*Row #3: Expected 4 columns, got 3"),
        ("ratings.csv", 4, "7,2,,1500", "ratings.csv: line 4: expected rating from 0.0 to 5.0, got None"),
        ("ratings.csv", 4, "7,2,11,1500", "ratings.csv: line 4: expected rating from 0.0 to 5.0, got 11.0"),
        ("ratings.csv", 5, "-8,2,0.5,900", "ratings.csv: line 5: expected userId from 1 to .*, got -8"),
        (
            "ratings.csv",
            2,
            "7,1,4.0,1000000000000",
            "line 2: expected timestamp from 0 to 4294967295, got 10+$",
        ),
        (
            "ratings.csv",
            1,
            "userId,movieId,stars,timestamp",
            "ratings.csv: expected the columns .*; rating missing",
        ),
        ("movies.csv", 2, "../1,Toy Story (1995),Adventure", r"movies.csv: .*Row #2.*\.\./1"),
        ("movies.csv", 1, "id,title,genres", "movies.csv: expected the columns .*; movieId missing"),
        ("tags.csv", 2, ",2,western,1400", "tags.csv: line 2: expected userId from 1 to .*, got None"),
    ],
)
def test_a_bad_line_is_named(folder: Path, name: str, line: int, text: str, message: str) -> None:
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    lines[line - 1] = text
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        run(folder)
    assert "\n" not in str(raised.value)
    assert not (folder / "logs").exists()


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv", "tags.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: expected a file of MovieLens, found none"):
        run(folder)


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_a_file_without_rows_is_named(folder: Path, name: str) -> None:
    header = (folder / name).read_text(encoding="utf-8").splitlines()[0]
    (folder / name).write_text(header + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: expected at least one row"):
        run(folder)


def test_an_empty_file_is_named(folder: Path) -> None:
    (folder / "tags.csv").write_bytes(b"")
    with pytest.raises(InputError, match="tags.csv: expected the columns userId, movieId, tag, timestamp"):
        run(folder)


def test_text_in_another_encoding_is_named(folder: Path) -> None:
    (folder / "movies.csv").write_bytes("movieId,title,genres\n1,Amélie (2001),Comedy\n".encode("latin-1"))
    with pytest.raises(InputError, match="movies.csv: .*UTF8"):
        run(folder)


@pytest.mark.parametrize("argument", ["input_dir", "posters", "query_posters"])
def test_a_missing_folder_is_named(folder: Path, argument: str) -> None:
    with pytest.raises(InputError, match="nowhere: expected a folder, found nothing"):
        run(folder, **{argument: folder / "nowhere"})


def test_logs_that_are_there_are_not_mixed_with(folder: Path) -> None:
    run(folder)
    with pytest.raises(InputError, match="logs: expected a new or empty folder"):
        run(folder)


def test_a_poster_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "posters" / "3.jpg").mkdir()
    with pytest.raises(InputError, match="3.jpg: expected a picture that can be read: Is a directory"):
        run(folder)


def test_real_data(movielens_dir: Path, tmp_path: Path) -> None:
    counts = run(
        movielens_dir,
        posters=movielens_dir / "posters",
        query_posters=movielens_dir / "posters_alt",
        out=tmp_path / "logs",
    )
    ratings = [line.split(",") for line in (movielens_dir / "ratings.csv").read_text().splitlines()[1:]]
    alternatives = {path.stem for path in (movielens_dir / "posters_alt").glob("*.jpg")}
    clicked = {movie for _, movie, rating, _ in ratings if float(rating) >= 4}
    # The first four are the numbers that GroupLens and the posters' collection give.
    assert counts["impressions"] == len(ratings) == 100_836
    assert counts["catalog"] == 9_742
    assert counts["text_searches"] == 3_683
    assert counts["posters"] == 9_517
    assert counts["clicks"] == sum(float(rating) >= 4 for _, _, rating, _ in ratings)
    assert counts["image_searches"] == len(clicked & alternatives)
    assert counts["searches"] == counts["purchases"] == counts["image_searches"] + counts["text_searches"]

    # No purchase stands before (or at) the same user's impression of the same movie.
    shown = {(user, movie): time(int(seconds)) for user, movie, _, seconds in ratings}
    purchases = rows(tmp_path, "purchases")
    for purchase in purchases:
        key = (purchase["user_id"], purchase["item_id"])
        assert key not in shown or purchase["timestamp"] > shown[key]
    # And each stands within a day of a search by the same user that it names.
    searches = {row["search_id"]: row for row in rows(tmp_path, "searches")}
    for purchase in purchases:
        search = searches[purchase["search_id"]]
        assert search["user_id"] == purchase["user_id"]
        assert dt.timedelta() < purchase["timestamp"] - search["timestamp"] <= dt.timedelta(days=1)
    assert set(Counter(purchase["search_id"] for purchase in purchases).values()) == {1}
