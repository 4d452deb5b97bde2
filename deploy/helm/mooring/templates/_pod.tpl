{{/* What every pod has in common. Takes [root, name of the service account]. */}}
{{- define "mooring.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ index . 1 }}
# A Service named mooring would otherwise put MOORING_PORT=tcp://… into the environment.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every container has in common. */}}
{{- define "mooring.container" -}}
image: {{ include "mooring.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{- define "mooring.mounts" -}}
- name: temporary
  mountPath: /tmp
- name: secrets
  mountPath: {{ include "mooring.masterKeyDirectory" . }}
  readOnly: true
{{- if .Values.store.existingClaim }}
- name: store
  mountPath: {{ include "mooring.storeDirectory" . }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mooring.volumes" -}}
- name: temporary
  emptyDir:
    sizeLimit: {{ .Values.temporary.sizeLimit }}
# A directory, so that a changed Secret reaches running pods.
- name: secrets
  secret:
    secretName: {{ include "mooring.secret" . }}
    defaultMode: 0440
{{- if .Values.store.existingClaim }}
- name: store
  persistentVolumeClaim:
    claimName: {{ .Values.store.existingClaim }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mooring.storeDirectory" -}}
{{- if not (hasPrefix "file:///" .Values.store.url) }}
{{- fail "store.existingClaim needs a store.url of the form file:///DIRECTORY, where the claim is mounted" }}
{{- end }}
{{- trimPrefix "file://" .Values.store.url }}
{{- end }}
