{{/*
sluice.inject: a workload of yours, with the sidecar in it, and what belongs to it (ConfigMap, PodDisruptionBudget, NetworkPolicy, ScaledObject).

  {{- define "shop.worker" }}
  apiVersion: apps/v1
  kind: Deployment
  ...
  {{- end }}
  {{- include "sluice.inject" (list . "shop.worker") }}

A third entry, a dict, is laid over `.Values.sluice`, for charts with several workloads.
*/}}
{{- define "sluice.inject" -}}
{{- $root := index . 0 -}}
{{- $text := include (index . 1) $root -}}
{{- $object := fromYaml $text -}}
{{- if not (hasKey $object "kind") -}}
{{- fail (printf "sluice: %q is not one Kubernetes object: %s" (index . 1) (default "it has no kind" $object.Error)) -}}
{{- end -}}
{{- $values := deepCopy $root.Values.sluice -}}
{{- if gt (len .) 2 -}}{{- $values = mergeOverwrite $values (deepCopy (index . 2)) -}}{{- end -}}
{{- $ctx := dict "root" $root "values" $values "object" $object "kind" $object.kind "name" $object.metadata.name "namespace" (default $root.Release.Namespace $object.metadata.namespace) -}}
{{- $_ := set $ctx "template" (include "sluice.podTemplatePath" $ctx | fromYaml).path -}}
{{- $template := $object -}}
{{- range (splitList "." $ctx.template) -}}{{- if . -}}{{- $template = index $template . -}}{{- end -}}{{- end -}}
{{- $_ := set $ctx "pod" $template -}}
{{- $_ := set $ctx "native" (eq "true" (include "sluice.native" $ctx)) -}}
{{- include "sluice.checks" $ctx -}}
{{- $config := include "sluice.config" $ctx -}}
{{- include "sluice.changePod" (merge (dict "config" $config) $ctx) -}}
{{- include "sluice.configMap" (merge (dict "config" $config) $ctx) }}
---
{{ toYaml $object }}
{{- if has $object.kind (list "Deployment" "StatefulSet") }}
{{- include "sluice.podDisruptionBudget" $ctx }}
{{- include "sluice.scaledObject" $ctx }}
{{- end }}
{{- include "sluice.networkPolicy" $ctx }}
{{- end -}}

{{/* Where the pod's template is in a workload of this kind. */}}
{{- define "sluice.podTemplatePath" -}}
{{- if has .kind (list "Deployment" "StatefulSet" "Job" "DaemonSet" "ReplicaSet") }}path: spec.template
{{- else if eq .kind "CronJob" }}path: spec.jobTemplate.spec.template
{{- else if eq .kind "Pod" }}path: ""
{{- else }}{{ fail (printf "sluice: %s %s: the sidecar goes into a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod" .kind .name) }}
{{- end }}
{{- end -}}

{{/* true: an init container that is restarted, which Kubernetes ends after the app. */}}
{{- define "sluice.native" -}}
{{- $has := semverCompare ">=1.29.0-0" .root.Capabilities.KubeVersion.Version -}}
{{- if and (eq .values.mode "native") (not $has) -}}
{{- fail (printf "sluice: mode native needs Kubernetes 1.29, and this is %s; set sluice.mode to auto or classic" .root.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- or (eq .values.mode "native") (and (eq .values.mode "auto") $has) -}}
{{- end -}}

{{/* Lays the sidecar into the pod's template, in place. What the workload says itself is left alone. */}}
{{- define "sluice.changePod" -}}
{{- $spec := .pod.spec -}}
{{- $_ := set $spec "terminationGracePeriodSeconds" (int (default .values.terminationGracePeriodSeconds $spec.terminationGracePeriodSeconds)) -}}
{{- if not (hasKey $spec "automountServiceAccountToken") -}}{{- $_ := set $spec "automountServiceAccountToken" false -}}{{- end -}}
{{- $_ := set $spec "securityContext" (merge (default dict $spec.securityContext) (dict "fsGroup" (int .values.fsGroup) "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault"))) -}}
{{- $names := .values.containers -}}
{{- range $container := $spec.containers -}}
{{- if or (not $names) (has $container.name $names) -}}{{- include "sluice.changeApp" (dict "values" $.values "container" $container) -}}{{- end -}}
{{- end -}}
{{- $sidecar := include "sluice.sidecar" . | fromYaml -}}
{{- if .native -}}
{{- $_ := set $spec "initContainers" (prepend (default list $spec.initContainers) $sidecar) -}}
{{- else -}}
{{- $_ := set $spec "containers" (append $spec.containers $sidecar) -}}
{{- end -}}
{{- $_ := set $spec "volumes" (concat (default list $spec.volumes) (include "sluice.volumes" . | fromYamlArray)) -}}
{{- if and .values.topologySpread.enabled (has .kind (list "Deployment" "StatefulSet")) (not $spec.topologySpreadConstraints) -}}
{{- $_ := set $spec "topologySpreadConstraints" (list (dict "maxSkew" 1 "topologyKey" .values.topologySpread.topologyKey "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" .object.spec.selector)) -}}
{{- end -}}
{{- $metadata := default dict .pod.metadata -}}
{{- $_ := set $metadata "labels" (merge (dict "sluice.io/sidecar" "true") (default dict $metadata.labels)) -}}
{{- $annotations := default dict $metadata.annotations -}}
{{- if .values.rolloutOnChange -}}{{- $annotations = merge (dict "checksum/sluice" (sha256sum .config)) $annotations -}}{{- end -}}
{{- if and (not .native) (ne .kind "Pod") -}}{{- $annotations = merge $annotations (dict "kubectl.kubernetes.io/default-container" (first $spec.containers).name) -}}{{- end -}}
{{- if $annotations -}}{{- $_ := set $metadata "annotations" $annotations -}}{{- end -}}
{{- $_ := set .pod "metadata" $metadata -}}
{{- end -}}

{{/* The app's container: where the socket is. */}}
{{- define "sluice.changeApp" -}}
{{- $address := dict "name" "SLUICE_ADDRESS" "value" (printf "unix://%s/sluice.sock" .values.listen.directory) -}}
{{- $has := false -}}
{{- range .container.env -}}{{- if eq .name "SLUICE_ADDRESS" -}}{{- $has = true -}}{{- end -}}{{- end -}}
{{- if not $has -}}{{- $_ := set .container "env" (prepend (default list .container.env) $address) -}}{{- end -}}
{{- $mount := dict "name" "sluice-socket" "mountPath" .values.listen.directory -}}
{{- $_ := set .container "volumeMounts" (append (default list .container.volumeMounts) $mount) -}}
{{- end -}}
