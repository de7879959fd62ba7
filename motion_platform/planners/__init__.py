"""Builders of plans: from a sentence to its actions, in their order. The contract: ``core/plan.Planner``."""
