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

{{/* A quantity of Kubernetes as a number: 1500m is 1.5, 1Ki is 1024. */}}
{{- define "vfio-migration.quantity" -}}
{{- if kindIs "string" . -}}
{{- $suffix := regexFind "([numkMGTPE]|[KMGTPE]i)$" . -}}
{{- $factors := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf (trimSuffix $suffix . | float64) (get $factors $suffix) -}}
{{- else -}}
{{- float64 . -}}
{{- end -}}
{{- end -}}

{{/* The address of an IPv4 block as a number. */}}
{{- define "vfio-migration.ipv4" -}}
{{- $number := 0 -}}
{{- range splitList "/" . | first | splitList "." -}}
{{- $number = add (mul $number 256) (int .) -}}
{{- end -}}
{{- $number -}}
{{- end -}}
