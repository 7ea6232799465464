"""The decision about one Release, from facts to the status that is written.

Begin with `decide`: the list of rules there is the specification. `status` composes the status from the draft, `action_outcomes` says
what a response from AWS means for it, `status_diff` whether it is worth a write.
"""
