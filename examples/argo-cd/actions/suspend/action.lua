-- Nothing new is changed in AWS until it is resumed; what is under way is followed to its end.
obj.spec.suspend = true
-- The end of an earlier suspension, which is past, would suspend nothing.
obj.spec.suspension = nil
return obj
