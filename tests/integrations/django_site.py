"""The Django app of `sites`: its URL configuration and its views."""

from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from paywright.integrations.django import answers_refusals, customer, refusal_of, require_item, require_product
from tests.integrations.sites import POST


@require_product("pro", "team")
def essay(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(POST)


@answers_refusals
def post(request: HttpRequest) -> HttpResponse:
    return JsonResponse(customer(request).gate(POST, content="pro"))


@csrf_exempt
@require_item("credits", 2)
def haiku(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"left": customer(request).get_item("credits").decrease_quantity(2)})


@csrf_exempt
@answers_refusals
def spend(request: HttpRequest, quantity: int) -> HttpResponse:
    return JsonResponse({"left": customer(request).get_item("credits").decrease_quantity(quantity)})


@require_product("prp")
def typo(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(POST)


@require_product("pro")
async def later(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(POST)


def helper(request: HttpRequest) -> HttpResponse:
    refusal = refusal_of(request, item="credits", quantity=2)
    return JsonResponse({"refused": None if refusal is None else refusal.code})


@csrf_exempt
@answers_refusals
@transaction.atomic
def write(request: HttpRequest, line: str) -> HttpResponse:
    """Spends a credit and keeps the poem in one transaction; a poem called "bad" breaks after both."""
    user: Any = customer(request)
    with user.transaction(connection) as work:
        left = work.decrease_quantity("credits", 1, note=line)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO poems (line) VALUES (%s)", [line])
    if line == "bad":
        raise ValueError(line)
    return JsonResponse({"left": left})


urlpatterns = [
    path("essay", essay),
    path("post", post),
    path("haiku", haiku),
    path("spend/<int:quantity>", spend),
    path("typo", typo),
    path("later", later),
    path("helper", helper),
    path("write/<str:line>", write),
    path("pay/", include("paywright.integrations.django")),
]
