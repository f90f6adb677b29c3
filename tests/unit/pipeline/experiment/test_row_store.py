from pathlib import Path

from pipeline.experiment.row_store import RowStore

ROWS = [{"method": "id", "auc": {"mean": 0.5, "values": [0.5]}}]


def test_rows_are_kept_and_replaced(tmp_path: Path) -> None:
    store = RowStore(str(tmp_path / "rows"), "logs and configuration")
    assert store.load(["table2", "table3"]) == {}
    store.save("table3", [])
    store.save("table2", ROWS)
    store.save("table3", ROWS)
    again = RowStore(store.folder, store.fingerprint)
    assert list(again.load(["table2", "table3", "epochs"]).items()) == [("table2", ROWS), ("table3", ROWS)]
    assert list(again.load(["table3"])) == ["table3"]


def test_rows_of_other_logs_are_not_mixed_in(tmp_path: Path) -> None:
    RowStore(str(tmp_path), "one").save("table2", ROWS)
    RowStore(str(tmp_path), "one").save("table3", ROWS)
    other = RowStore(str(tmp_path), "other")
    other.save("table3", [])
    assert other.load(["table2", "table3"]) == {"table3": []}
    assert RowStore(str(tmp_path), "one").load(["table2", "table3"]) == {"table2": ROWS}
