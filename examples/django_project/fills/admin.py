"""What the admin shows."""

from django.contrib import admin

from fills.models import Fill, Gap

admin.site.register(Fill)
admin.site.register(Gap)
