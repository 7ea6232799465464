"""The operator as a process, against a real kube-apiserver and the simulated AWS: what users see."""
