"""Who is escalated, at which cost, with which guarantee. numpy, scipy, scikit-learn only.

predictions -> fit -> RoutingPolicy -> route / replay
"""
