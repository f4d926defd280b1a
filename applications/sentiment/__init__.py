"""Sentiment of a text: is it meant well or ill?"""
