# The role of an Environment, and what it may do: the JSON files beside this one, filled in. Give its ARN to the Environment
# (spec.aws.roleARN). The same files with other tools: every ${name} in them is a variable below (docs/how-to/aws-access.md).
variable "name" {
  description = "Name of the role; its policies begin with it, too"
  type        = string
}

variable "policies" {
  description = "What the role may do, by file: observer, deployer, continue, registry-retag, event-queue, notifications; for the ledger's role ledger-writer, ledger-table, ledger-reader"
  type        = set(string)
  default     = ["observer"]

  validation {
    condition = length(setsubtract(var.policies, [
      "observer", "deployer", "continue", "registry-retag", "event-queue", "notifications", "ledger-writer", "ledger-table", "ledger-reader",
    ])) == 0
    error_message = "A policy of that name is not in this folder."
  }
}

variable "operator_role_arn" {
  description = "The operator's own identity, which assumes the role"
  type        = string
}

variable "external_id" {
  description = "spec.aws.externalID of the Environment"
  type        = string
}

variable "cluster" {
  description = "Name of the ECS cluster"
  type        = string
  default     = null
}

variable "services" {
  description = "Names of the ECS services, as a pattern: all that the Environment's Releases name, or DescribeServices is refused for all of them"
  type        = string
  default     = "*"
}

variable "registry_id" {
  description = "Account of the registry; null: the role's own"
  type        = string
  default     = null
}

variable "repositories" {
  description = "Names of the repositories, as a pattern such as shop/*"
  type        = string
  default     = null
}

variable "task_roles" {
  description = "Names of the roles that tasks run with (task roles and execution roles), as a pattern such as shop-*"
  type        = string
  default     = null
}

variable "event_queue_arn" {
  type    = string
  default = null
}

variable "notification_arn" {
  description = "The topic, or the event bus"
  type        = string
  default     = null
}

variable "ledger_arn" {
  description = "The ledger's table"
  type        = string
  default     = null
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  values = {
    partition         = data.aws_partition.current.partition
    region            = data.aws_region.current.name
    account_id        = data.aws_caller_identity.current.account_id
    operator_role_arn = var.operator_role_arn
    external_id       = var.external_id
    cluster           = var.cluster
    services          = var.services
    registry_id       = coalesce(var.registry_id, data.aws_caller_identity.current.account_id)
    repositories      = var.repositories
    task_roles        = var.task_roles
    event_queue_arn   = var.event_queue_arn
    notification_arn  = var.notification_arn
    ledger_arn        = var.ledger_arn
  }
}

resource "aws_iam_role" "environment" {
  name                 = var.name
  assume_role_policy   = templatefile("${path.module}/trust.json", local.values)
  max_session_duration = 3600 # AWS allows no more where one role assumes another
}

# A variable that a policy needs and that is null is an error here, not a pattern that allows too much.
resource "aws_iam_policy" "environment" {
  for_each = var.policies
  name     = "${var.name}-${each.key}"
  policy   = templatefile("${path.module}/${each.key}.json", local.values)
}

resource "aws_iam_role_policy_attachment" "environment" {
  for_each   = var.policies
  role       = aws_iam_role.environment.name
  policy_arn = aws_iam_policy.environment[each.key].arn
}

output "role_arn" {
  value = aws_iam_role.environment.arn
}
