"""Measure inference the way the OpenVINO Optimization Guide does."""
