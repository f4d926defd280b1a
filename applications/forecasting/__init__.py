"""Forecasting of time series, with intervals."""
