"""What one decision about a Release rests on and consists of: the facts, the draft, the attempt, and the decision.

Begin with `facts` (the input) and `decision` (the output, and what a rule returns). `due` says whether anything may have to be done,
`suspension` what keeps it from being done on purpose, `attempts` how an attempt begins and ends. The rules that use these are in
`rules`, and their order is in `release.decide`.
"""
