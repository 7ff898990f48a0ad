"""Flask as we use it."""

from inspect import iscoroutinefunction

import flask
import pytest

from app.web import current
from tests.unit.web.services import Service


def test_nothing_that_is_called_for_a_request_is_a_coroutine(service: Service) -> None:
    app = service.app
    kept = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    around = [function for by_blueprint in kept for several in by_blueprint.values() for function in several]
    handlers = [
        handler
        for by_code in app.error_handler_spec.values()
        for by_class in by_code.values()
        for handler in by_class.values()
    ]

    called = [*app.view_functions.values(), *around, *handlers]

    assert len(called) > len(app.view_functions)
    assert not [function for function in called if iscoroutinefunction(function)]


def test_a_function_is_called_as_it_is(service: Service) -> None:
    view = service.app.view_functions["status.status"]

    assert service.app.ensure_sync(view) is view


def test_flask_keeps_no_session_and_none_can_be_begun(service: Service) -> None:
    with service.app.test_request_context("/"), pytest.raises(RuntimeError, match="session is unavailable"):
        flask.session["some"] = "thing"


def test_the_request_is_the_one_that_flask_answers(service: Service) -> None:
    with service.app.test_request_context("/first"):
        first = current.request()
        with service.app.test_request_context("/second"):
            second = current.request()

    assert (first.path, second.path) == ("/first", "/second")


def test_there_is_no_request_where_none_is_answered() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        current.request()
