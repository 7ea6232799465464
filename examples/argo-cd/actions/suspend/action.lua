-- Nothing new is changed in AWS until it is resumed; what is under way is followed to its end.
obj.spec.suspend = true
return obj
