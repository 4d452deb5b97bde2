{{- define "mooring.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for what is added to it: names of Services and labels end at 63. */}}
{{- define "mooring.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "mooring.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "mooring.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What a selector may use: these never change in a release's life. Takes [root, component]. */}}
{{- define "mooring.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "mooring.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Takes [root, component]. */}}
{{- define "mooring.labels" -}}
{{- $root := index . 0 -}}
{{ include "mooring.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A pod's: without the chart's version, so that a change to the chart alone restarts nothing. Takes [root, component]. */}}
{{- define "mooring.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "mooring.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{- with merge (dict) $root.Values.podLabels $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mooring.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mooring.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "mooring.hookAccount" -}}
{{ include "mooring.fullname" . }}-hooks
{{- end }}

{{/* The Secret that the hook Job makes, or the one that was given. */}}
{{- define "mooring.secret" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-generated" (include "mooring.fullname" .)) }}
{{- end }}

{{- define "mooring.image" -}}
{{- $repository := required "image.repository is needed: where the image built from the Dockerfile was pushed" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Takes [root, hooks as a list, weight]. A failed Job stays, for its log. */}}
{{- define "mooring.hook" -}}
helm.sh/hook: {{ join "," (index . 1) }}
helm.sh/hook-weight: {{ index . 2 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
