# Sends notifications from a bus to one HTTPS API, by the rules of a file beside this one. A module to use once for each target:
#
#   module "pagerduty" {
#     source   = "./api-destinations"
#     target   = "pagerduty"
#     bus      = "releases"
#     endpoint = "https://events.pagerduty.com/v2/enqueue"
#     api_key  = { name = "X-Connection", value = "ecs-release" } # EventBridge wants one, PagerDuty does not look at it
#     body     = { routing_key = var.pagerduty_routing_key }
#   }
variable "target" {
  type        = string
  description = "The rules: datadog, devlake, jira or pagerduty."
}

variable "bus" {
  type        = string
  description = "Name of the event bus that Environments notify."
}

variable "endpoint" {
  type        = string
  description = "URL that is sent to, with POST."
}

variable "api_key" {
  type        = object({ name = string, value = string })
  default     = null
  sensitive   = true
  description = "Header with the target's API key."
}

variable "oauth" {
  type        = object({ endpoint = string, client_id = string, client_secret = string, body = map(string) })
  default     = null
  sensitive   = true
  description = "OAuth client credentials, instead of an API key."
}

variable "body" {
  type        = map(string)
  default     = {}
  sensitive   = true
  description = "Secrets that belong into the body: EventBridge keeps them with the connection and adds them to each request."
}

variable "board_url" {
  type        = string
  default     = "https://board.example.com"
  description = "What Jira's links lead to: your board."
}

variable "repository_url" {
  type        = string
  default     = "https://github.com/example/shop"
  description = "What DevLake knows the repository by."
}

locals {
  name = "ecs-release-${var.target}"
  rules = { for name, rule in yamldecode(file("${path.module}/${var.target}.yaml")) : name => {
    pattern = jsonencode(rule.pattern)
    paths   = rule.paths
    template = replace(replace(rule.template,
    "https://board.example.com", var.board_url), "https://github.com/example/shop", var.repository_url)
  } }
}

resource "aws_cloudwatch_event_connection" "target" {
  name               = local.name
  authorization_type = var.oauth == null ? "API_KEY" : "OAUTH_CLIENT_CREDENTIALS"
  auth_parameters {
    dynamic "api_key" {
      for_each = var.oauth == null ? [1] : []
      content {
        key   = var.api_key.name
        value = var.api_key.value
      }
    }
    dynamic "oauth" {
      for_each = var.oauth == null ? [] : [1]
      content {
        authorization_endpoint = var.oauth.endpoint
        http_method            = "POST"
        client_parameters {
          client_id     = var.oauth.client_id
          client_secret = var.oauth.client_secret
        }
        oauth_http_parameters {
          dynamic "body" {
            for_each = nonsensitive(var.oauth.body)
            content {
              key   = body.key
              value = body.value
            }
          }
        }
      }
    }
    dynamic "invocation_http_parameters" {
      for_each = length(var.body) > 0 ? [1] : []
      content {
        dynamic "body" {
          for_each = nonsensitive(toset(keys(var.body)))
          content {
            key             = body.value
            value           = var.body[body.value]
            is_value_secret = true
          }
        }
      }
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "target" {
  name                             = local.name
  connection_arn                   = aws_cloudwatch_event_connection.target.arn
  invocation_endpoint              = var.endpoint
  http_method                      = "POST"
  invocation_rate_limit_per_second = 10
}

resource "aws_iam_role" "target" {
  name = local.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "target" {
  role = aws_iam_role.target.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:InvokeApiDestination", Resource = aws_cloudwatch_event_api_destination.target.arn }]
  })
}

# What the target has not taken for a day, and what it refused: look here when something is missing.
resource "aws_sqs_queue" "refused" {
  name                      = "${local.name}-refused"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "refused" {
  queue_url = aws_sqs_queue.refused.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.refused.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.target : rule.arn] } }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "target" {
  for_each       = local.rules
  name           = "${local.name}-${each.key}"
  event_bus_name = var.bus
  event_pattern  = each.value.pattern
}

resource "aws_cloudwatch_event_target" "target" {
  for_each       = local.rules
  rule           = aws_cloudwatch_event_rule.target[each.key].name
  event_bus_name = var.bus
  arn            = aws_cloudwatch_event_api_destination.target.arn
  role_arn       = aws_iam_role.target.arn
  input_transformer {
    input_paths    = each.value.paths
    input_template = each.value.template
  }
  dead_letter_config {
    arn = aws_sqs_queue.refused.arn
  }
}
