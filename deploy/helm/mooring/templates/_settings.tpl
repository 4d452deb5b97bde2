{{- define "mooring.masterKeyDirectory" -}}
/run/mooring/secrets
{{- end }}

{{/* What a replica must know before it reaches its database; nothing secret. */}}
{{- define "mooring.settings" -}}
MOORING_HOST: 0.0.0.0
MOORING_PORT: "5000"
MOORING_WORKER_PORT: "5001"
MOORING_DATA: /tmp/mooring
MOORING_WORKERS: {{ .Values.workers | quote }}
MOORING_EXTERNAL_URL: {{ required "externalUrl is needed: the address that clients use, such as https://registry.example" .Values.externalUrl | quote }}
MOORING_STORE: {{ required "store.url is needed: s3://BUCKET/PREFIX?endpoint=…&region=…, or file:///DIRECTORY with store.existingClaim" .Values.store.url | quote }}
MOORING_MASTER_KEY_FILE: {{ include "mooring.masterKeyDirectory" . }}/{{ .Values.secrets.masterKeyKey }}
MOORING_LOG_FORMAT: json
{{- range $name, $value := .Values.settings }}
MOORING_{{ upper $name }}: {{ include "mooring.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Whole numbers come from values files as floats, which large ones would show. */}}
{{- define "mooring.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* Environment entries with secrets in them, and what each pod knows of itself. */}}
{{- define "mooring.environment" -}}
{{- $database := required "database.existingSecret is needed: a Secret with the address or the password of PostgreSQL" .Values.database.existingSecret -}}
- name: MOORING_REPLICA
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .Values.database.host }}
- name: MOORING_DATABASE_URL
  value: {{ include "mooring.databaseUrl" . | quote }}
# libpq takes it from here: a password needs no quoting that an address would need.
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $database }}
      key: {{ .Values.database.passwordKey }}
{{- else }}
- name: MOORING_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database }}
      key: {{ .Values.database.urlKey }}
{{- end }}
- name: MOORING_ADMIN_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "mooring.secret" . }}
      key: {{ .Values.secrets.adminPasswordKey }}
      optional: true
{{- with .Values.store.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.store.accessKeyIdKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.store.secretAccessKeyKey }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mooring.databaseUrl" -}}
{{- with .Values.database -}}
postgresql://{{ .user }}@{{ .host }}:{{ int .port }}/{{ .name }}{{ with .parameters }}?{{ . }}{{ end }}
{{- end }}
{{- end }}
