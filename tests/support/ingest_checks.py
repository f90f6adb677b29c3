"""What tests of LogIngest compare by."""

import brute_force


def shown(rows: list[dict]) -> list[dict]:
    """Rows with their pictures as a viewer shows them, upright."""
    return [brute_force.seen_pictures(row, turns=True) for row in rows]


def stored(rows: list[dict]) -> list[dict]:
    """Rows with their pictures as they are stored, in which nothing is left to be turned."""
    return [brute_force.seen_pictures(row, turns=False) for row in rows]


def by_purchase(pairs: list[dict]) -> dict[str, dict]:
    keyed = {pair["purchase_id"]: pair for pair in pairs}
    assert len(keyed) == len(pairs)
    return keyed
