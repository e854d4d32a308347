{{/* Prefix of the names of all objects. 40 characters leave room for our longest suffix within 63. */}}
{{- define "vfio-migration.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: selectors of a Deployment and a DaemonSet are immutable. */}}
{{- define "vfio-migration.selectorLabels" -}}
app.kubernetes.io/name: vfio-migration
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "vfio-migration.labels" -}}
{{ include "vfio-migration.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "vfio-migration.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "vfio-migration.operatorSecret" -}}
{{- .Values.tls.operatorSecret | default (printf "%s-operator-tls" (include "vfio-migration.fullname" .)) -}}
{{- end -}}

{{- define "vfio-migration.agentSecret" -}}
{{- .Values.tls.agentSecret | default (printf "%s-agent-tls" (include "vfio-migration.fullname" .)) -}}
{{- end -}}

{{/*
A P-256 key as Helm makes it (PEM, "EC PRIVATE KEY") in the PKCS#8 form that Java reads. PKCS#8 is a fixed header in
front of the same bytes, since a P-256 key always takes 121 of them: version 0, algorithm {ecPublicKey, prime256v1},
then the key as an octet string.
*/}}
{{- define "vfio-migration.pkcs8" -}}
{{- $der := regexReplaceAll "-----[A-Z ]+-----|\\s" . "" | b64dec -}}
{{- if ne (len $der) 121 -}}
{{- fail (printf "the generated key has %d bytes where a P-256 key has 121; give tls.operatorSecret and tls.agentSecret instead" (len $der)) -}}
{{- end -}}
{{- $header := b64dec "MIGTAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBHk=" -}}
-----BEGIN PRIVATE KEY-----
{{ printf "%s%s" $header $der | b64enc | wrapWith 64 "\n" }}
-----END PRIVATE KEY-----
{{ end -}}

{{/* Whole numbers, joined with commas. Helm reads numbers as floating point, which would write a large one as 1e+06. */}}
{{- define "vfio-migration.numbers" -}}
{{- $texts := list -}}
{{- range . -}}
{{- $texts = append $texts (printf "%d" (int64 .)) -}}
{{- end -}}
{{- join "," $texts -}}
{{- end -}}
