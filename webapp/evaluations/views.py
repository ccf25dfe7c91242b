"""Pages: one's evaluations, a new one, its progress and report, two beside each other, and a shared one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from inpainting.evaluation.contestants import MOST as MOST_MODELS
from webapp.accounts.services import account_for
from webapp.errors import Refusal, not_found
from webapp.evaluations import rights, services
from webapp.evaluations.comparison import compare
from webapp.evaluations.forms import Wishes, choices
from webapp.evaluations.models import Evaluation, EvaluationFile, Unit
from webapp.evaluations.uploads import gather
from webapp.photos.files import read_file
from webapp.photos.serving import not_modified, send_file

_PER_PAGE = 100
_DOWNLOADS = (
    ("report.html", "HTML"),
    ("summary.json", "JSON"),
    ("rows.csv", "CSV"),
    ("rows.parquet", "Parquet"),
    ("table.tex", "LaTeX"),
)


@require_safe
@ensure_csrf_cookie
def overview(request: HttpRequest) -> HttpResponseBase:
    """One's evaluations, the newest first."""
    if not request.user.is_authenticated and not settings.ALLOW_GUESTS:
        return redirect_to_login(request.get_full_path())
    rows = list(Evaluation.objects.visible_to(request.user).defer("summary")[:_PER_PAGE])
    shown = [{"evaluation": row, "standing": _standing(row)} for row in rows]
    done = [row for row in rows if row.state == Evaluation.State.DONE]
    return render(request, "evaluations/list.html", {"rows": shown, "done": done})


@require_http_methods(["GET", "HEAD", "POST"])
@ensure_csrf_cookie
def new(request: HttpRequest) -> HttpResponseBase:
    """The form of a new evaluation; what is refused is said above the form, and the form stays as it was filled in."""
    if not request.user.is_authenticated and not settings.ALLOW_GUESTS:
        return redirect_to_login(request.get_full_path())
    wishes = Wishes.read(request.POST) if request.method == "POST" else Wishes()
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            return redirect("evaluations:detail", _start(request, wishes).pk)
        except Refusal as error:
            refusal = error
    context = {
        **choices(request.user, wishes),
        "wishes": wishes,
        "refusal": refusal,
        "most_photos": settings.EVALUATION_MAX_PHOTOS,
        "most_models": MOST_MODELS,
        "full_megapixels": settings.EVALUATION_FULL_MEGAPIXELS,
        "most_megabytes": settings.MAX_UPLOAD_BYTES // (1024 * 1024),
    }
    return render(request, "evaluations/new.html", context, status=200 if refusal is None else refusal.status)


@require_safe
@ensure_csrf_cookie
def detail(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """Its progress, or its report."""
    evaluation = _own(request, evaluation_id)
    may_look = rights.may_look(evaluation)
    others = Evaluation.objects.visible_to(request.user).filter(state=Evaluation.State.DONE).exclude(pk=evaluation.pk)
    context = {
        "evaluation": evaluation,
        "standing": _standing(evaluation),
        "body": _body(evaluation) if may_look else "",
        "may_look": may_look,
        "may_share": rights.may_share(evaluation),
        "downloads": _downloads(evaluation, reverse("evaluations:detail", args=[evaluation.pk])),
        "others": list(others.defer("summary")[:_PER_PAGE]),
        "share_url": _share_url(request, evaluation),
    }
    return render(request, "evaluations/detail.html", context)


@require_safe
def progress(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """The part of the page that changes while workers are at it; once they are not, the whole page is loaded anew."""
    evaluation = _own(request, evaluation_id)
    context = {"evaluation": evaluation, "standing": _standing(evaluation)}
    answer = render(request, "evaluations/progress.html", context)
    if evaluation.state != Evaluation.State.RUNNING:
        answer.headers["HX-Refresh"] = "true"
    return answer


@require_POST
def cancel(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """Call it off."""
    return redirect("evaluations:detail", services.cancel_evaluation(_own(request, evaluation_id)).pk)


@require_POST
def again(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """The same once more."""
    evaluation = _own(request, evaluation_id)
    with account_for(request) as person:
        repeated = services.run_again(evaluation, person)
    return redirect("evaluations:detail", repeated.pk)


@require_POST
def share(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """Make the link, or take it back."""
    evaluation = _own(request, evaluation_id)
    if request.POST.get("share") == "off":
        services.unshare_evaluation(evaluation)
    else:
        services.share_evaluation(evaluation)
    return redirect("evaluations:detail", evaluation.pk)


@require_POST
def delete(request: HttpRequest, evaluation_id: UUID) -> HttpResponseBase:
    """Away with it."""
    services.delete_evaluation(_own(request, evaluation_id))
    return redirect("evaluations:list")


@require_safe
def file(request: HttpRequest, evaluation_id: UUID, name: str) -> HttpResponseBase:
    """A file of one's own report."""
    evaluation = _own(request, evaluation_id)
    _check_may_look(evaluation)
    return _send(request, evaluation, name)


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponseBase:
    """The report for whoever has the link: nothing can be changed here, and nothing is said of the owner."""
    evaluation = _shared(token)
    page = reverse("evaluations:shared", args=[token])
    context = {"evaluation": evaluation, "body": _body(evaluation), "downloads": _downloads(evaluation, page)}
    answer = render(request, "evaluations/shared.html", context)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address is the key
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


@require_safe
def shared_file(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """A file of a shared report."""
    return _send(request, _shared(token), name)


@require_safe
def compare_two(request: HttpRequest) -> HttpResponseBase:
    """Two of one's finished reports beside each other."""
    found = []
    for name in ("one", "other"):
        try:
            found.append(_own(request, UUID(request.GET.get(name, ""))))
        except ValueError:
            raise not_found() from None
    one, other = found
    for each in found:
        _check_may_look(each)
    if one.summary is None or other.summary is None:
        raise Refusal("not_done", "Only finished reports can be compared.", status=409)
    context = {"one": one, "other": other, "comparison": compare(one.summary, other.summary)}
    return render(request, "evaluations/compare.html", context)


def _start(request: HttpRequest, wishes: Wishes) -> Evaluation:
    files = [(each.name or "photo", each.read()) for each in request.FILES.getlist("photos") if each.size]
    with account_for(request) as person:
        photos = gather(
            person, files=files, galleries=wishes.galleries, chosen=wishes.pictures, sample_names=wishes.samples
        )
        return services.start_evaluation(
            person,
            photos,
            title=wishes.title,
            protocol=wishes.protocol,
            size=wishes.size,
            seed=wishes.seed_number(),
            models=wishes.models(),
        )


def _own(request: HttpRequest, evaluation_id: UUID) -> Evaluation:
    found: Evaluation | None = Evaluation.objects.visible_to(request.user).filter(pk=evaluation_id).first()
    if found is None:
        raise not_found()
    return found


def _shared(token: str) -> Evaluation:
    found: Evaluation | None = Evaluation.objects.shared_as(token).select_related("owner").first()
    # As with links to pictures: what its maker may not share any more, nobody sees.
    if found is None or not rights.may_share(found):
        raise not_found()
    return found


def _check_may_look(evaluation: Evaluation) -> None:
    if not rights.may_look(evaluation):
        raise Refusal("forbidden", "This report shows pictures of a team that you are not in any more.", status=403)


def _share_url(request: HttpRequest, evaluation: Evaluation) -> str:
    if not evaluation.share_token:
        return ""
    return request.build_absolute_uri(reverse("evaluations:shared", args=[evaluation.share_token]))


def _downloads(evaluation: Evaluation, page: str) -> list[tuple[str, str]]:
    """Address and label of each file to take away; they lie beside their page. Older reports have fewer."""
    there = set(evaluation.files.filter(name__in=dict(_DOWNLOADS)).values_list("name", flat=True))
    return [(f"{page}files/{name}", label) for name, label in _DOWNLOADS if name in there]


def _body(evaluation: Evaluation) -> str:
    """The report's HTML. It is our own, made by the worker with everything of people's escaped."""
    if evaluation.state != Evaluation.State.DONE:
        return ""
    row = evaluation.files.filter(name="body.html").first()
    return "" if row is None else mark_safe(read_file(row.file).decode())  # noqa: S308 - escaped where it was made


def _send(request: HttpRequest, evaluation: Evaluation, name: str) -> HttpResponseBase:
    row: EvaluationFile | None = evaluation.files.filter(name=name).first()
    if row is None:
        raise not_found()
    etag = f'"{row.pk}-{evaluation.pk}"'
    shown = row.content_type.startswith("image/")
    answer: HttpResponse | HttpResponseBase | None = not_modified(request, etag)
    if answer is not None:
        return answer
    found = send_file(
        request, row.file, etag=etag, content_type=row.content_type, filename=row.name, attachment=not shown
    )
    if row.content_type == "image/svg+xml":
        # Its colours are in a style sheet of its own; opened as a page it may do nothing else.
        found.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return found


def _standing(evaluation: Evaluation) -> dict[str, Any]:
    """How far it is: photos done, failed and in all, the share of the whole, what is being done."""
    units = list(evaluation.units.all())
    photos = [unit for unit in units if unit.kind == Unit.Kind.PHOTO]
    running = [unit for unit in units if unit.state == Unit.State.RUNNING]
    ended = [unit for unit in units if unit.state in (Unit.State.DONE, Unit.State.FAILED)]
    share = (len(ended) + sum(unit.fraction for unit in running)) / max(1, len(units))
    return {
        "photos": len(photos),
        "done": sum(unit.state == Unit.State.DONE for unit in photos),
        "failed": [unit for unit in photos if unit.state == Unit.State.FAILED],
        "running": running,
        "percent": round(100 * share),
    }
