"""`/receipts/{charge}`: where `receipt_url` leads."""

from ..errors import no_such
from ..web import WebAnswer, WebRequest
from .views import show, view


@view("GET /receipts/{charge}")
async def receipt(request: WebRequest) -> WebAnswer:
    id = request.arguments["charge"]
    account = request.account_of(id)
    charge = account.objects.get("charge", {}).get(id) if account else None
    if account is None or charge is None or not charge["paid"]:
        raise no_such("receipt", id)
    details = charge["payment_method_details"]
    method = details[details["type"]]
    return show(
        request,
        "receipt.html",
        charge=charge,
        shop=account.name or "Sandbox shop",
        brand=method.get("brand", "account"),
        last4=method.get("last4"),
    )
