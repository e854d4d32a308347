{{/* Prefix of the names of all objects. 40 characters leave room for our longest suffix within 63. */}}
{{- define "vfio-migration.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimAll "-." -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimAll "-." -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimAll "-." -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: selectors of a Deployment and a DaemonSet are immutable. */}}
{{- define "vfio-migration.selectorLabels" -}}
app.kubernetes.io/name: vfio-migration
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
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

{{- define "vfio-migration.authoritySecret" -}}
{{- printf "%s-ca" (include "vfio-migration.fullname" .) -}}
{{- end -}}

{{- define "vfio-migration.operatorSecret" -}}
{{- .Values.tls.operatorSecret | default (printf "%s-operator-tls" (include "vfio-migration.fullname" .)) -}}
{{- end -}}

{{- define "vfio-migration.agentSecret" -}}
{{- .Values.tls.agentSecret | default (printf "%s-agent-tls" (include "vfio-migration.fullname" .)) -}}
{{- end -}}

{{/* Whole numbers, joined with commas. Helm reads numbers as floating point, which would write a large one as 1e+06. */}}
{{- define "vfio-migration.numbers" -}}
{{- $texts := list -}}
{{- range . -}}
{{- $texts = append $texts (printf "%d" (int64 .)) -}}
{{- end -}}
{{- join "," $texts -}}
{{- end -}}
