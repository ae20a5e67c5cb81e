"""
Stripe's "no", as Stripe words it.

A refusal can come from any depth of a machine and must undo its work, so here it is an exception. The one that keeps its work is a declined
card: the failed charge and the intent's `last_payment_error` stay, and their events go out, beside the 402.

    ApiError
    ├── invalid_request (400, 401, 403, 404, 409)   the request is wrong; nothing changed
    ├── card_error      (402)                       keeps_work is true unless the caller says otherwise
    └── not_implemented (400, 404)                  Stripe would do it, this sandbox does not
"""

from typing import Any

Json = dict[str, Any]

FIDELITY = "FIDELITY.md (GET /_sandbox/fidelity)"


class ApiError(Exception):
    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keeps_work: bool = False,
        should_retry: bool | None = None,
        **objects: Any,
    ) -> None:
        """`objects` go into the error as they are: `decline_code`, `payment_intent`, `charge` and so on."""
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.code = code
        self.param = param
        self.keeps_work = keeps_work
        self.should_retry = should_retry
        self.objects = objects

    def body(self) -> Json:
        error: Json = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error.update({name: value for name, value in self.objects.items() if value is not None})
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error["type"] = self.type
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def missing_parameter(param: str) -> ApiError:
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown_parameter(param: str) -> ApiError:
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def empty_parameter(param: str) -> ApiError:
    message = (
        f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; however '{param}' "
        f"cannot be unset. You should remove '{param}' from your request or supply a non-empty value."
    )
    return ApiError(400, message, code="parameter_invalid_empty", param=param)


def no_such(kind: str, id: str, param: str = "id") -> ApiError:
    return ApiError(404, f"No such {kind}: '{id}'", code="resource_missing", param=param)


def not_implemented(what: str, *, param: str | None = None, status: int = 400) -> ApiError:
    """`what` begins a sentence: "The parameter transfer_data", "POST /v1/topups"."""
    message = f"{what} is not implemented by the sandbox. See {FIDELITY}."
    return ApiError(status, message, code="sandbox_not_implemented", param=param)


def card_error(
    message: str, *, code: str, keeps_work: bool = True, param: str | None = None, **objects: Any
) -> ApiError:
    return ApiError(402, message, type="card_error", code=code, param=param, keeps_work=keeps_work, **objects)
