def phantom(shape,*,seed=0,box=None): raise NotImplementedError
