{{/* The sidecar's container. */}}
{{- define "sluice.sidecar" -}}
{{- $v := .values -}}
name: sluice
image: {{ include "sluice.image" . }}
imagePullPolicy: {{ $v.image.pullPolicy }}
args: [serve, --config, /etc/sluice/sluice.yaml]
{{- if .native }}
restartPolicy: Always
{{- end }}
env:
  - {name: SLUICE_ADDRESS, value: {{ printf "unix://%s/sluice.sock" $v.listen.directory | quote }}}
  - {name: SLUICE_GRACE_PERIOD, value: {{ printf "%ds" (int .pod.spec.terminationGracePeriodSeconds) | quote }}}
  {{- with $v.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: sluice-admin, containerPort: {{ int $v.admin.port }}, protocol: TCP}
startupProbe:
  httpGet: {path: /startupz, port: {{ int $v.admin.port }}}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: {{ int $v.admin.port }}}
  periodSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: {{ int $v.admin.port }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
lifecycle:
  preStop:
    exec:
      {{- if .native }}
      command: [/usr/bin/sluice, drain]
      {{- else }}
      command: [/usr/bin/sluice, drain, --wait, --timeout, {{ $v.drain.timeout | quote }}]
      {{- end }}
terminationMessagePath: /dev/termination-log
securityContext:
  {{- toYaml $v.securityContext | nindent 2 }}
resources:
  {{- toYaml $v.resources | nindent 2 }}
volumeMounts:
  - {name: sluice-config, mountPath: /etc/sluice, readOnly: true}
  - {name: sluice-socket, mountPath: {{ $v.listen.directory }}}
  {{- if $v.nats.existingSecret }}
  - {name: sluice-login, mountPath: /etc/sluice-login, readOnly: true}
  {{- end }}
  {{- if $v.nats.tls.existingSecret }}
  - {name: sluice-tls, mountPath: /etc/sluice-tls, readOnly: true}
  {{- end }}
{{- end -}}

{{- define "sluice.image" -}}
{{- $image := .values.image -}}
{{- if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}
{{- else -}}{{ $image.repository }}:{{ default "0.1.0" $image.tag }}
{{- end -}}
{{- end -}}

{{/* Of Secrets whole folders are mounted, as a subPath never sees a change. */}}
{{- define "sluice.volumes" -}}
- name: sluice-config
  configMap: {name: {{ .name }}-sluice}
- name: sluice-socket
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- if .values.nats.existingSecret }}
- name: sluice-login
  secret: {secretName: {{ .values.nats.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- if .values.nats.tls.existingSecret }}
- name: sluice-tls
  secret: {secretName: {{ .values.nats.tls.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}
