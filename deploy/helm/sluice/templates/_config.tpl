{{/* sluice.yaml, from the values. Secrets are only named, as files: what is in those may change while the daemon runs. */}}
{{- define "sluice.config" -}}
{{- $v := .values -}}
{{- $nats := dict "servers" $v.nats.servers -}}
{{- with $v.nats.domain -}}{{- $_ := set $nats "domain" . -}}{{- end -}}
{{- range $file, $key := dict "user_file" $v.nats.userKey "password_file" $v.nats.passwordKey "token_file" $v.nats.tokenKey "credentials_file" $v.nats.credentialsKey "nkey_seed_file" $v.nats.nkeySeedKey -}}
{{- if $key -}}{{- $_ := set $nats $file (printf "/etc/sluice-login/%s" $key) -}}{{- end -}}
{{- end -}}
{{- if $v.nats.tls.enabled -}}
{{- $tls := dict "enabled" true -}}
{{- if $v.nats.tls.existingSecret -}}
{{- range $key, $file := dict "ca_file" $v.nats.tls.caKey "cert_file" $v.nats.tls.certKey "key_file" $v.nats.tls.keyKey -}}
{{- if $file -}}{{- $_ := set $tls $key (printf "/etc/sluice-tls/%s" $file) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- with $v.nats.tls.serverName -}}{{- $_ := set $tls "server_name" . -}}{{- end -}}
{{- $_ := set $nats "tls" $tls -}}
{{- end -}}
{{- $admin := dict "listen" (printf "0.0.0.0:%d" (int $v.admin.port)) "readiness" $v.admin.readiness -}}
{{- if $v.admin.quit -}}{{- $_ := set $admin "quit" true -}}{{- end -}}
{{- $made := dict "nats" $nats "listen" (dict "unix" (printf "%s/sluice.sock" $v.listen.directory)) "log" (dict "level" $v.log.level) "drain" (dict "timeout" $v.drain.timeout) "admin" $admin "consumers" $v.consumers -}}
{{- mergeOverwrite $made (deepCopy $v.config) | toYaml -}}
{{- end -}}

{{- define "sluice.configMap" }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}-sluice
  namespace: {{ .namespace }}
  labels: {{- include "sluice.labels" . | nindent 4 }}
data:
  sluice.yaml: |
    {{- .config | nindent 4 }}
{{- end -}}

{{- define "sluice.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: sluice
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}
