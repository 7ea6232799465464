{{- define "ecs-release.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ecs-release.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "ecs-release.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Unique in the cluster, for two installations in two namespaces may have the same name; in the usual namespace it is the plain one. */ -}}
{{- define "ecs-release.clusterName" -}}
{{- $name := include "ecs-release.fullname" . -}}
{{- ternary $name (printf "%s-%s" .Release.Namespace $name) (eq .Release.Namespace "ecs-release") -}}
{{- end -}}

{{- define "ecs-release.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ecs-release.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecs-release.labels" -}}
{{ include "ecs-release.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ecs-release
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The commits service: labels of its own, for the operator's Services, budgets and policies must not choose its pod. */ -}}
{{- define "ecs-release.commitsName" -}}
{{- printf "%s-commits" (include "ecs-release.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{- define "ecs-release.commitsSelectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-commits" (include "ecs-release.name" . | trunc 55 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecs-release.commitsLabels" -}}
{{ include "ecs-release.commitsSelectorLabels" . }}
app.kubernetes.io/component: commits
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ecs-release
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ecs-release.commitsToken" -}}
{{- default (printf "%s-token" (include "ecs-release.commitsName" . | trunc 57 | trimSuffix "-")) .Values.commits.tokenSecret -}}
{{- end -}}

{{- define "ecs-release.hasConnections" -}}
{{- if or .Values.connections.github .Values.connections.slack -}}true{{- end -}}
{{- end -}}

{{- define "ecs-release.connectionsName" -}}
{{- printf "%s-connections" (include "ecs-release.fullname" . | trunc 51 | trimSuffix "-") -}}
{{- end -}}

{{- define "ecs-release.connections" -}}
{{- toYaml (dict "github" .Values.connections.github "slack" .Values.connections.slack) -}}
{{- end -}}

{{- define "ecs-release.boardName" -}}
{{- printf "%s-board" (include "ecs-release.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}

{{- define "ecs-release.boardSelectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-board" (include "ecs-release.name" . | trunc 57 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecs-release.boardLabels" -}}
{{ include "ecs-release.boardSelectorLabels" . }}
app.kubernetes.io/component: board
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ecs-release
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ecs-release.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ecs-release.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "ecs-release.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* Shards that need a Deployment, comma-separated: whatever no entry names is default's. */ -}}
{{- define "ecs-release.shards" -}}
{{- append (keys .Values.shards) "default" | uniq | sortAlpha | join "," -}}
{{- end -}}

{{- define "ecs-release.deploymentName" -}}
{{- $full := include "ecs-release.fullname" .root -}}
{{- if eq .shard "default" -}}
{{- $full -}}
{{- else -}}
{{- $name := printf "%s-%s" $full .shard -}}
{{- if gt (len $name) 63 -}}
{{- fail (printf "Deployment %s of shard %s: a name has at most 63 characters; set a shorter fullnameOverride" $name .shard) -}}
{{- end -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- /* MutatingAdmissionPolicy v1 is served from Kubernetes 1.36 on. `helm template` has to be told (--api-versions). */ -}}
{{- define "ecs-release.stamps" -}}
{{- if and .Values.policies.install (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy") -}}
true
{{- end -}}
{{- end -}}

{{- /* A list of CEL: the service accounts that operators run as. */ -}}
{{- define "ecs-release.operators" -}}
{{- $own := printf "%s:%s" .Release.Namespace (include "ecs-release.serviceAccountName" .) -}}
{{- $all := list -}}
{{- range prepend .Values.policies.operators $own | uniq -}}
{{- $all = append $all (printf "'system:serviceaccount:%s'" .) -}}
{{- end -}}
{{- printf "[%s]" (join ", " $all) -}}
{{- end -}}

{{- /* Labels are put into a document of resources/ as text: numbers and CEL stay as they are. */ -}}
{{- define "ecs-release.labelled" -}}
{{- $labels := include "ecs-release.labels" .root | nindent 4 -}}
{{- $annotations := "" -}}
{{- with .annotations -}}
{{- $annotations = printf "\n  annotations:%s" (toYaml . | nindent 4) -}}
{{- end -}}
{{- regexReplaceAll "(?m)^metadata:$" .text (printf "metadata:\n  labels:%s%s" $labels $annotations) -}}
{{- end -}}

{{- /* A rule of a NetworkPolicy: the agent of EKS Pod Identity, which is link-local. */ -}}
{{- define "ecs-release.podIdentityEgress" -}}
# The agent of EKS Pod Identity.
- to:
    - ipBlock: {cidr: 169.254.170.23/32}
    - ipBlock: {cidr: "fd00:ec2::23/128"}
  ports:
    - {port: 80, protocol: TCP}
{{- end }}
