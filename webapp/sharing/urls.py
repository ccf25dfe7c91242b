"""Addresses of shared pictures, below ``/s/``, for people without an account."""

from django.urls import path

from webapp.sharing import views

urlpatterns = [
    path("<str:share_token>/", views.shared, name="shared"),
    path("<str:share_token>/unlock", views.unlock, name="shared_unlock"),
    path("<str:share_token>/<uuid:item_id>/", views.shared_picture, name="shared_picture"),
    path("<str:share_token>/<uuid:item_id>/embed", views.embed, name="shared_embed"),
    path("<str:share_token>/<uuid:item_id>/download", views.download, name="shared_download"),
    path("<str:share_token>/<uuid:item_id>/<slug:part>", views.file, name="shared_file"),
]
