-- Removed, not false: what a manifest does not state is nobody's to put back.
obj.spec.suspend = nil
obj.spec.suspension = nil
return obj
