{{- /* The container's environment: settings, sorted by name, then what the chart itself decides. */ -}}
{{- define "ecs-release.env" -}}
{{- with .root -}}
{{- range $name, $value := .Values.settings }}
- name: ECS_RELEASE_{{ $name | snakecase | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
- name: ECS_RELEASE_PROBE_PORT
  value: {{ .Values.probes.port | toString | quote }}
{{- if .Values.metrics.enabled }}
- name: ECS_RELEASE_METRICS_PORT
  value: {{ .Values.metrics.port | toString | quote }}
{{- end }}
{{- with .Values.watchNamespaces }}
- name: ECS_RELEASE_WATCH_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.shards }}
- name: ECS_RELEASE_SHARD
  value: {{ $.shard | quote }}
- name: ECS_RELEASE_SHARDS
  value: {{ .Values.shards | toJson | quote }}
{{- end }}
{{- with .Values.ledger }}
{{- if .table }}
- name: ECS_RELEASE_LEDGER_TABLE
  value: {{ .table | quote }}
- name: ECS_RELEASE_LEDGER_REGION
  value: {{ required "ledger.region is needed with ledger.table" .region | quote }}
{{- with .accountID }}
- name: ECS_RELEASE_LEDGER_ACCOUNT_ID
  value: {{ . | quote }}
{{- end }}
{{- with .roleARN }}
- name: ECS_RELEASE_LEDGER_ROLE_ARN
  value: {{ . | quote }}
{{- end }}
{{- with .externalID }}
- name: ECS_RELEASE_LEDGER_EXTERNAL_ID
  value: {{ . | quote }}
{{- end }}
{{- if .create }}
- name: ECS_RELEASE_LEDGER_CREATE
  value: "true"
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.commits.enabled }}
- name: ECS_RELEASE_COMMITS_ADDRESS
  value: {{ printf "http://%s.%s.svc:%v" (include "ecs-release.commitsName" .) .Release.Namespace .Values.commits.port | quote }}
- name: ECS_RELEASE_COMMITS_TOKEN_FILE
  value: /var/run/ecs-release-commits/token
{{- end }}
{{- if include "ecs-release.hasConnections" . }}
- name: ECS_RELEASE_CONNECTIONS_FILE
  value: /etc/ecs-release-connections/connections.yaml
{{- end }}
# Nothing else can be written to.
- name: HOME
  value: /tmp
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}
