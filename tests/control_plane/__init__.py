"""A real Kubernetes control plane for tests and the demo: etcd, kube-apiserver and kube-controller-manager, without nodes."""
