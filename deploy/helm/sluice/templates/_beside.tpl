{{/* What stands beside the workload. */}}
{{- define "sluice.podDisruptionBudget" }}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "sluice.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  # A pod that is not ready, for instance while NATS is away, may be evicted: it must not hold up a node's drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {{- toYaml .object.spec.selector | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "sluice.networkPolicy" }}
{{- $policy := .values.networkPolicy }}
{{- if $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "sluice.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- toYaml .pod.metadata.labels | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports: [{protocol: TCP, port: {{ int .values.admin.port }}}]
      {{- with $policy.metricsFrom }}
      from: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with $policy.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    - ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
    - ports:
        {{- range $policy.natsPorts }}
        - {protocol: TCP, port: {{ int . }}}
        {{- end }}
      to: {{- toYaml $policy.nats | nindent 8 }}
    {{- with $policy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "sluice.scaledObject" }}
{{- $keda := .values.keda }}
{{- if $keda.enabled }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "sluice.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {kind: {{ .kind }}, name: {{ .name }}}
  minReplicaCount: {{ int $keda.minReplicaCount }}
  maxReplicaCount: {{ int $keda.maxReplicaCount }}
  cooldownPeriod: {{ int $keda.cooldownPeriod }}
  triggers:
    # KEDA's lag is num_pending + num_ack_pending. A consumer that is missing has the stream's last sequence for a lag, so make it before.
    {{- range .values.consumers }}
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: {{ $keda.monitoringEndpoint | quote }}
        account: {{ $keda.account | quote }}
        stream: {{ .stream | quote }}
        consumer: {{ default .name .durable | quote }}
        lagThreshold: {{ $keda.lagThreshold | int | quote }}
        activationLagThreshold: {{ $keda.activationLagThreshold | int | quote }}
    {{- end }}
{{- end }}
{{- end -}}
