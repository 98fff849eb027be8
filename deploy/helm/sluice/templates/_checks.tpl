{{/* What would lose, stall or repeat messages is refused here, with a sentence, before a cluster sees it. */}}
{{- define "sluice.checks" -}}
{{- $v := .values -}}
{{- $where := printf "sluice: %s %s: " .kind .name -}}
{{- if not $v.consumers -}}{{- fail (print $where "sluice.consumers is empty; name at least one consumer with its stream") -}}{{- end -}}
{{- $grace := int (default $v.terminationGracePeriodSeconds .pod.spec.terminationGracePeriodSeconds) -}}
{{- $drain := include "sluice.milliseconds" (dict "duration" $v.drain.timeout "where" "sluice.drain.timeout") | int -}}
{{- if gt (add $drain 7000) (mul $grace 1000) -}}
{{- fail (printf "%sthe grace period of %d s is too short: sluice.drain.timeout %s, 2 s for the final phase and 5 s for the kubelet need %d s; raise terminationGracePeriodSeconds, or shorten sluice.drain.timeout" $where $grace $v.drain.timeout (add (div (add $drain 999) 1000) 7)) -}}
{{- end -}}
{{- if and (has .kind (list "Job" "CronJob")) (not .native) (not $v.admin.quit) -}}
{{- fail (print $where "in classic mode the sidecar would keep the Job from completing; set sluice.admin.quit, and let the app POST /quitquitquit when it is done, or use mode native") -}}
{{- end -}}
{{- if and $v.admin.quit .native -}}{{- fail (print $where "sluice.admin.quit is for classic mode: as a native sidecar the daemon ends by itself after the app; leave it out") -}}{{- end -}}
{{- include "sluice.checkLogin" (dict "nats" $v.nats "where" $where) -}}
{{- $known := list -}}
{{- range .pod.spec.containers -}}{{- $known = append $known .name -}}{{- end -}}
{{- range $v.containers -}}
{{- if not (has . $known) -}}{{- fail (printf "%ssluice.containers names %q, and the pod has %s" $where . (join ", " $known)) -}}{{- end -}}
{{- end -}}
{{- if has "sluice" $known -}}{{- fail (print $where "a container is called \"sluice\" already; that is the sidecar's name") -}}{{- end -}}
{{- range $i, $consumer := $v.consumers -}}
{{- include "sluice.checkConsumer" (dict "consumer" $consumer "where" (printf "%ssluice.consumers[%d]: " $where $i) "keda" $v.keda.enabled) -}}
{{- end -}}
{{- if and $v.keda.enabled (not $v.keda.monitoringEndpoint) -}}{{- fail (print $where "sluice.keda.monitoringEndpoint is empty; name NATS's monitoring endpoint, as nats:8222") -}}{{- end -}}
{{- end -}}

{{- define "sluice.checkLogin" -}}
{{- $ways := list -}}
{{- range list "credentialsKey" "nkeySeedKey" "userKey" "tokenKey" -}}{{- if index $.nats . -}}{{- $ways = append $ways . -}}{{- end -}}{{- end -}}
{{- if gt (len $ways) 1 -}}{{- fail (printf "%sgive one way to log in, not %s" .where (join " and " $ways)) -}}{{- end -}}
{{- if and $ways (not .nats.existingSecret) -}}{{- fail (printf "%ssluice.nats.%s needs sluice.nats.existingSecret, the Secret that holds it" .where (first $ways)) -}}{{- end -}}
{{- if and .nats.existingSecret (not $ways) -}}{{- fail (printf "%ssluice.nats.existingSecret is given, but none of credentialsKey, nkeySeedKey, userKey, tokenKey says what is in it" .where) -}}{{- end -}}
{{- if ne (not .nats.userKey) (not .nats.passwordKey) -}}{{- fail (print .where "sluice.nats.userKey and passwordKey go together") -}}{{- end -}}
{{- if ne (not .nats.tls.certKey) (not .nats.tls.keyKey) -}}{{- fail (print .where "sluice.nats.tls.certKey and keyKey go together") -}}{{- end -}}
{{- if and .nats.tls.existingSecret (not .nats.tls.enabled) -}}{{- fail (print .where "sluice.nats.tls.existingSecret does nothing without sluice.nats.tls.enabled") -}}{{- end -}}
{{- end -}}

{{- define "sluice.checkConsumer" -}}
{{- $c := .consumer -}}
{{- if and (eq (default "none" $c.ordering) "key") (not $c.key) -}}{{- fail (print .where "ordering: key needs key.subject_token or key.header") -}}{{- end -}}
{{- if eq (default "none" $c.ordering) "exclusive" -}}
{{- if .keda -}}{{- fail (print .where "ordering: exclusive has one active pod, so more pods take no load off it; leave sluice.keda out, and set replicas to 2 or 3 for failover") -}}{{- end -}}
{{- if eq (default "ensure" $c.manage) "off" -}}{{- fail (print .where "ordering: exclusive needs the priority settings of the JetStream consumer; set manage: ensure or verify") -}}{{- end -}}
{{- $timeout := include "sluice.milliseconds" (dict "duration" (default "3s" (default dict $c.exclusive).priority_timeout) "where" (print .where "exclusive.priority_timeout")) | int -}}
{{- $expires := include "sluice.milliseconds" (dict "duration" (default "1s" (default dict $c.pull).expires) "where" (print .where "pull.expires")) | int -}}
{{- if lt $timeout (mul 2 $expires | int) -}}{{- fail (print .where "exclusive.priority_timeout must be at least twice pull.expires, or an idle pod loses its pin again and again") -}}{{- end -}}
{{- $wait := include "sluice.milliseconds" (dict "duration" (default "30s" (default dict $c.config).ack_wait) "where" (print .where "config.ack_wait")) | int -}}
{{- if gt $wait 30000 -}}{{- fail (print .where "ordering: exclusive with config.ack_wait above 30s stops the whole fleet for that long when a pod crashes; set 2s to 5s: Sluice extends it while an app works") -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* A duration of sluice.yaml (`500ms`, `30s`, `1m30s`, `2h`) in milliseconds. */}}
{{- define "sluice.milliseconds" -}}
{{- $text := toString .duration -}}
{{- if not (regexMatch "^([0-9]+(ms|s|m|h))+$|^0$" $text) -}}{{- fail (printf "%s: %q is no duration; write 500ms, 30s, 1m30s or 2h" .where $text) -}}{{- end -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" $text -1 -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := index (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" .) -}}
{{- $sum = add $sum (mul $number $unit) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}
