from __future__ import annotations

from polymarket_ws.integrations.answers import json_answer


def test_json_answer_takes_values_and_what_is_json_already() -> None:
    for given in ({"a": [1]}, b'{"a":[1]}'):
        answer = json_answer(418, given)
        assert answer.status == 418
        assert list(answer.body) == [b'{"a":[1]}']
        assert dict(answer.headers)["Content-Type"] == "application/json"
        assert dict(answer.headers)["Cache-Control"] == "no-store"
