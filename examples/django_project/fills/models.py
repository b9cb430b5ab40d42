"""What is kept."""

from django.db import models


class Fill(models.Model):
    """A part of an order of ours that was filled."""

    trade_id = models.CharField(max_length=100)
    order_id = models.CharField(max_length=100)
    asset_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=100, blank=True)
    side = models.CharField(max_length=4)
    price = models.DecimalField(max_digits=12, decimal_places=6)
    size = models.DecimalField(max_digits=24, decimal_places=6)
    status = models.CharField(max_length=20)
    matched_at = models.DateTimeField(null=True)

    class Meta:
        """One row, however often the exchange tells of it."""

        constraints = (
            models.UniqueConstraint(fields=["trade_id", "order_id"], name="one_row_a_fill"),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.size} {self.outcome} at {self.price} ({self.status})"


class Gap(models.Model):
    """A time in which something may have been missed."""

    channel = models.CharField(max_length=20)
    told_at = models.DateTimeField(auto_now_add=True)
    text = models.TextField()

    def __str__(self) -> str:
        return self.text
